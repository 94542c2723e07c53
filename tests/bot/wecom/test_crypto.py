import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bot.platforms.wecom.crypto import WeComCrypto
from bot.platforms.wecom.xml import parse_xml
from store.domain.errors import BadCallback, ConfigError
from tests.bot.wecom.given import AES_KEY, CORP, NOON, TOKEN, lines

VECTORS = [
    case
    for case in lines("crypto_vectors.jsonl")
    if case.values[0] is None or case.values[0]["platform"] == "wecom"
    if case.values[0] is None or case.values[0]["kind"] not in {"key_validation", "signature_only"}
]


def crypto(**changes):
    values = {"token": TOKEN, "encoding_aes_key": AES_KEY, "receive_id": CORP}
    return WeComCrypto(**(values | changes))


def of(vector, **extra):
    return WeComCrypto(
        vector["token"] or "any", vector["encoding_aes_key"], vector["receive_id"], **extra
    )


def signed(machine, encrypt, timestamp="1760000000", nonce="n0nce"):
    return {
        "msg_signature": machine.sign(timestamp, nonce, encrypt),
        "timestamp": timestamp,
        "nonce": nonce,
    }


def raw_encrypt(plain):
    key = base64.b64decode(AES_KEY + "=")
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


@pytest.mark.parametrize("vector", VECTORS)
def test_a_published_ciphertext_opens_and_a_forged_one_is_a_401(vector):
    machine, encrypt = of(vector), vector["encrypt"]
    query = signed(machine, encrypt)
    if vector["msg_signature"]:
        names = ("msg_signature", "timestamp", "nonce")
        query = {name: vector[name] for name in names}

    if vector["expected"]["signature_valid"] is False:
        with pytest.raises(BadCallback) as refused:
            machine.decrypt(query, encrypt)
        assert refused.value.status == 401
    else:
        assert machine.decrypt(query, encrypt) == vector["expected"]["plaintext"]
        assert machine.verify_url({**query, "echostr": encrypt}) == vector["expected"]["plaintext"]


REPRODUCIBLE = [
    case for case in VECTORS if case.values[0] is None or "random16" in case.values[0]["expected"]
]


def random16(vector):
    """Written as 16 characters, or as 32 hex digits where they are no text."""
    text = vector["expected"]["random16"]
    return text.encode() if len(text) == 16 else bytes.fromhex(text)


@pytest.mark.parametrize("vector", REPRODUCIBLE)
def test_the_published_ciphertext_comes_out_when_the_random_bytes_are_the_same(vector):
    encrypt = of(vector, random=lambda: random16(vector)).encrypt(vector["expected"]["plaintext"])

    assert encrypt == vector["encrypt"]


def test_the_encrypt_direction_of_the_java_sdk_is_reproduced():
    machine = WeComCrypto(
        "any",
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        "wxb11529c136998cb6",
        random=lambda: b"aaaabbbbccccdddd",
    )

    encrypt = machine.encrypt("我是中文abcd123")

    assert encrypt == (
        "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
    )


@pytest.mark.parametrize("vector", lines("crypto_vectors.jsonl"))
def test_keys_and_signatures_are_judged_as_published(vector):
    if vector["kind"] == "key_validation" and "reject" in vector["expected"]:
        with pytest.raises(ConfigError):
            crypto(encoding_aes_key=vector["encoding_aes_key"])
    elif vector["kind"] == "key_validation":
        machine = crypto(encoding_aes_key=vector["encoding_aes_key"])
        assert (
            machine._aes.cipher._cipher.cipher.algorithm.key.hex()
            == (vector["expected"]["aes_key_hex"])
        )
    elif vector["kind"] == "signature_only":
        values = vector["timestamp"], vector["nonce"], vector["encrypt"]
        machine = crypto(token=vector["token"])
        assert machine.sign(*values) == vector["expected"]["msg_signature"]
    else:
        assert vector in [case.values[0] for case in VECTORS] or vector["platform"] == "dingtalk"


@pytest.mark.parametrize("missing", ["msg_signature", "timestamp", "nonce"])
def test_a_missing_argument_is_a_400(missing):
    machine = crypto()
    encrypt = machine.encrypt("hello")
    query = {name: value for name, value in signed(machine, encrypt).items() if name != missing}

    with pytest.raises(BadCallback) as refused:
        machine.decrypt(query, encrypt)

    assert refused.value.status == 400


def test_a_get_without_echostr_is_a_400():
    machine = crypto()

    with pytest.raises(BadCallback) as refused:
        machine.verify_url(signed(machine, "x"))

    assert refused.value.status == 400


@pytest.mark.parametrize("signature", ["0" * 40, "签名", "\udc80", "ABC"])
def test_a_signature_that_is_not_ours_is_refused_whatever_it_is_made_of(signature):
    machine = crypto()
    encrypt = machine.encrypt("hello")
    query = {**signed(machine, encrypt), "msg_signature": signature}

    with pytest.raises(BadCallback):
        machine.decrypt(query, encrypt)


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\0" * 32,
        b"x" * 31 + b"\x21",
        b"x" * 30 + b"\x01\x02",
        b"x" * 16 + b"\0\0\0\x05hello" + CORP.encode() + b"\x05" * 5,
        b"x" * 16 + b"\xff\xff\xff\xff" + b"x" * 11 + b"\x01",
        b"x" * 16 + b"\0\0\0\x02\xff\xfe" + b"x" * 9 + b"\x01",
    ],
    ids=["empty", "no padding", "pad 33", "uneven", "16-byte blocks", "length", "not UTF-8"],
)
def test_signed_rubbish_is_a_400(plain):
    machine = crypto()
    encrypt = raw_encrypt(plain) or "===="

    with pytest.raises(BadCallback) as refused:
        machine.decrypt(signed(machine, encrypt), encrypt)

    assert refused.value.status == 400


@pytest.mark.parametrize("encrypt", ["not base64!", "YWJj", "密文", "a", "=" * 8])
def test_signed_text_that_is_no_ciphertext_is_a_400(encrypt):
    machine = crypto()

    with pytest.raises(BadCallback) as refused:
        machine.decrypt(signed(machine, encrypt), encrypt)

    assert refused.value.status == 400


def test_what_is_meant_for_another_corp_is_a_400_and_says_so():
    machine = crypto()
    encrypt = crypto(receive_id="ww0000000000000000").encrypt("hello")

    with pytest.raises(BadCallback, match="receive id") as refused:
        machine.decrypt(signed(machine, encrypt), encrypt)

    assert refused.value.status == 400


@pytest.mark.parametrize("text", ["", "a" * 100_000, "😀" * 7, "你好，线索 #42"])
def test_what_was_encrypted_is_what_comes_out(text):
    machine = crypto()
    encrypt = machine.encrypt(text)

    assert machine.decrypt(signed(machine, encrypt), encrypt) == text


def test_a_reply_is_an_envelope_that_the_platform_can_verify_and_open():
    machine = crypto(clock=lambda: NOON)

    reply = parse_xml(machine.encrypt_reply("<xml><Content>好的</Content></xml>"))

    parts = sorted([TOKEN, reply["TimeStamp"], reply["Nonce"], reply["Encrypt"]])
    assert reply["MsgSignature"] == hashlib.sha1("".join(parts).encode()).hexdigest()  # noqa: S324
    assert reply["TimeStamp"] == "1772424000"
    query = signed(machine, reply["Encrypt"])
    assert machine.decrypt(query, reply["Encrypt"]) == "<xml><Content>好的</Content></xml>"


def test_an_old_callback_is_still_taken_because_a_retry_may_be_old():
    machine = crypto(clock=lambda: NOON)
    encrypt = machine.encrypt("hello")

    assert machine.decrypt(signed(machine, encrypt, timestamp="1409659589"), encrypt) == "hello"
