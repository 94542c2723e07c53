// Encrypts what comes in with @wecom/crypto, or opens it: one JSON in, one JSON out.
const { decrypt, encrypt, getSignature } = require("@wecom/crypto");

const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
const { token, key, timestamp, nonce } = asked;
if (asked.message !== undefined) {
  const encrypted = encrypt(key, asked.message, asked.id);
  const signature = getSignature(token, timestamp, nonce, encrypted);
  process.stdout.write(JSON.stringify({ encrypted, signature }));
} else {
  const signature = getSignature(token, timestamp, nonce, asked.encrypted);
  process.stdout.write(JSON.stringify({ ...decrypt(key, asked.encrypted), signature }));
}
