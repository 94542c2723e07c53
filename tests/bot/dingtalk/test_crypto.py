import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.dingtalk.crypto import DingTalkCrypto, check_robot, robot_sign
from store.domain.errors import BadCallback
from tests.bot.dingtalk.samples import lines, patient

TOKEN = "leadtoken01"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
OWNER = "dingselfmade00001"
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

VECTORS = [
    pytest.param(row.values[0], id=row.id, marks=row.marks)
    for row in lines("crypto_vectors.jsonl")
    if row.values[0] is None or row.values[0]["platform"] == "dingtalk"
]


def crypto() -> DingTalkCrypto:
    return DingTalkCrypto(TOKEN, KEY, OWNER)


def encrypted(plain: bytes) -> str:
    key = base64.b64decode(KEY + "=")
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def framed(text: bytes, owner: bytes = OWNER.encode(), block: int = 32, more: int = 0) -> bytes:
    plain = b"0123456789abcdef" + len(text).to_bytes(4, "big") + text + owner
    padding = block - len(plain) % block + more
    return plain + bytes([padding]) * padding


def signed(encrypt: str) -> dict[str, str]:
    query = {"timestamp": "1700000000000", "nonce": "n0nce"}
    return query | {"msg_signature": crypto()._sign(*query.values(), encrypt)}


@pytest.mark.parametrize("row", VECTORS)
def test_published_ciphertexts_are_read(row):
    reader = DingTalkCrypto(row["token"], row["encoding_aes_key"], row["receive_id"])
    query = {"timestamp": row["timestamp"], "nonce": row["nonce"]}

    text = reader.decrypt(query | {"signature": row["msg_signature"]}, row["encrypt"])

    assert text == row["expected"]["plaintext"]


@pytest.mark.parametrize("row", VECTORS)
def test_published_ciphertexts_are_written(row):
    writer = DingTalkCrypto(row["token"], row["encoding_aes_key"], row["receive_id"])
    writer._aes.get_random_string = lambda: row["expected"]["random16"]

    reply = writer.reply(
        row["expected"]["plaintext"], timestamp=row["timestamp"], nonce=row["nonce"]
    )

    assert reply["encrypt"] == row["encrypt"]
    assert reply["msg_signature"] == row["msg_signature"]


def test_a_text_outside_ascii_is_counted_in_bytes():
    encrypt = (
        "Q3stYC6hdFzMh9T8HCvyDEb1fFrkqrbwaNq5RWa9O6fmpOy6mUkVAWyPJ0/U74eHpYEmz8RiV1/8onnlhnjoNOEx"
        "p7RaHgff5RBIBvDq/iX+ZXCm8ONY1PXcBb5eqHVDiYJX+rRd4tU+/mSGxfGfrxXHNAhoIklcpY4Qdfxr+14="
    )
    query = {
        "timeStamp": "1700000000000",
        "nonce": "n0nceABC",
        "msg_signature": "67fef35470df9fc95a9de90a69a2ac2d199658dc",
    }

    text = crypto().decrypt(query, encrypt)

    assert text == '{"EventType":"user_add_org","UserId":["张三01"],"CorpId":"ding0test"}'


def test_the_reply_is_what_dingtalk_would_compute():
    writer = crypto()
    writer._aes.get_random_string = lambda: "0123456789abcdef"

    reply = writer.reply(timestamp="1700000000001", nonce="n0nceDEF")

    assert reply == {
        "msg_signature": "6dc1506f851345b691ef53c5943801f1cb41c4a0",
        "timeStamp": "1700000000001",
        "nonce": "n0nceDEF",
        "encrypt": (
            "Q3stYC6hdFzMh9T8HCvyDDVB8nYie0nnKONkIDibUiTHItgj8dgocZQ9gq5ebtU/"
            "WrQdlM69jHVvQ5kQZX1sng=="
        ),
    }


def test_no_two_replies_start_alike():
    replies = {crypto().reply(timestamp="1", nonce="n")["encrypt"][:20] for _ in range(50)}

    assert len(replies) == 50


@pytest.mark.parametrize("block", [16, 32])
def test_both_paddings_are_read(block):
    encrypt = encrypted(framed(b"success", block=block))

    assert crypto().decrypt(signed(encrypt), encrypt) == "success"


@pytest.mark.parametrize(
    "plain",
    [
        pytest.param(framed(b"x")[:-1] + b"\x00", id="padding of 0"),
        pytest.param(framed(b"x")[:-1] + b"\x21", id="padding of 33"),
        pytest.param(framed(b"x", more=32), id="a block of padding too many"),
        pytest.param(framed(b"x", owner=b"dingsomebodyelse1"), id="another owner"),
        pytest.param(framed(b"x", owner=b""), id="no owner"),
        pytest.param(framed(b"\xff\xfe"), id="not UTF-8"),
        pytest.param(b"\x01" * 16, id="nothing but padding"),
    ],
)
def test_what_is_signed_but_broken_is_refused(plain):
    encrypt = encrypted(plain)

    with pytest.raises(BadCallback) as refused:
        crypto().decrypt(signed(encrypt), encrypt)

    assert refused.value.status == 400


@pytest.mark.parametrize("signature", [{}, {"msg_signature": ""}, {"signature": "0" * 40}])
def test_a_wrong_signature_is_a_401(signature):
    encrypt = encrypted(framed(b"success"))
    query = {"timestamp": "1700000000000", "nonce": "n0nce"} | signature

    with pytest.raises(BadCallback) as refused:
        crypto().decrypt(query, encrypt)

    assert refused.value.status == 401


@patient
@given(
    query=st.dictionaries(
        st.sampled_from(["msg_signature", "signature", "timestamp", "timeStamp", "nonce"]),
        st.text(),
    ),
    encrypt=st.text(),
)
def test_no_query_breaks_it(query, encrypt):
    with pytest.raises(BadCallback):
        crypto().decrypt(query, encrypt)


@patient
@given(encrypt=st.one_of(st.text(), st.binary().map(lambda b: base64.b64encode(b).decode())))
def test_no_signed_ciphertext_breaks_it(encrypt):
    with pytest.raises(BadCallback):
        crypto().decrypt(signed(encrypt.encode(errors="replace").decode()), encrypt)


@patient
@given(plain=st.binary(max_size=200).map(lambda b: b + bytes(-len(b) % 16)))
def test_no_plain_text_breaks_it(plain):
    encrypt = encrypted(plain)

    with pytest.raises(BadCallback):
        crypto().decrypt(signed(encrypt), encrypt)


@pytest.mark.parametrize("key", ["", "short", KEY + "A", KEY[:-1] + "-", "张" * 43])
def test_a_key_of_another_shape_is_refused_at_once(key):
    with pytest.raises(ValueError, match=r"."):
        DingTalkCrypto(TOKEN, key, OWNER)


@pytest.mark.parametrize("row", lines("dingtalk_robot_sign.jsonl"))
def test_published_robot_signatures(row):
    assert robot_sign(row["secret"], row["timestamp"]) == row["expected"]["sign_b64"]


def headers(at: datetime, secret: str = "this is a secret") -> dict[str, str]:
    timestamp = str(int(at.timestamp() * 1000))
    return {"timestamp": timestamp, "sign": robot_sign(secret, timestamp)}


@pytest.mark.parametrize("off", [timedelta(minutes=-59), timedelta(0), timedelta(minutes=59)])
def test_a_robot_signature_of_this_hour_is_accepted(off):
    check_robot(headers(NOW + off), "this is a secret", NOW)


@pytest.mark.parametrize("off", [timedelta(minutes=-61), timedelta(minutes=61)])
def test_an_old_robot_signature_is_a_400(off):
    with pytest.raises(BadCallback, match="out of time") as refused:
        check_robot(headers(NOW + off), "this is a secret", NOW)

    assert refused.value.status == 400


def test_a_robot_signature_with_another_secret_is_a_401():
    with pytest.raises(BadCallback) as refused:
        check_robot(headers(NOW, "another"), "this is a secret", NOW)

    assert refused.value.status == 401


@patient
@given(st.text())
def test_no_robot_timestamp_breaks_it(timestamp):
    signable = timestamp.encode(errors="replace").decode()
    given_headers = {"timestamp": timestamp, "sign": robot_sign("x", signable)}

    with pytest.raises(BadCallback):
        check_robot(given_headers, "x", NOW)
