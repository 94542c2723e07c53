"""The sandbox's crypto is its own: published vectors hold it to the platform's."""

import base64
import json
from pathlib import Path

import pytest

from bot.sandbox.wecom.envelope import LETTERS, BadEnvelope, Envelope, new_key

FILE = Path(__file__).parents[3].parent / "shared" / "data" / "crypto_vectors.jsonl"
LINES = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
VECTORS = [json.loads(line) for line in LINES]
OPENED = [v for v in VECTORS if v["kind"] in {"verify_url", "message_xml", "reply_xml"}]
needs_file = pytest.mark.skipif(not VECTORS, reason="needs ../shared/data/crypto_vectors.jsonl")


def opened(vector):
    envelope = Envelope(vector["token"], vector["encoding_aes_key"], vector["receive_id"])
    query = (vector["msg_signature"], str(vector["timestamp"]), vector["nonce"])
    return envelope.open(*query, vector["encrypt"])


@needs_file
@pytest.mark.parametrize("vector", OPENED, ids=lambda v: v["id"])
def test_every_published_envelope_opens_or_is_refused_as_published(vector):
    if vector["expected"]["signature_valid"]:
        assert opened(vector) == vector["expected"]["plaintext"]
    else:
        with pytest.raises(BadEnvelope):
            opened(vector)


def test_with_the_published_random_bytes_it_encrypts_to_the_published_text():
    envelope = Envelope("any", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wxb11529c136998cb6")

    encrypted = envelope.encrypt("我是中文abcd123", b"aaaabbbbccccdddd")

    assert encrypted == (
        "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
    )


def test_the_length_is_counted_in_bytes_and_the_padding_in_blocks_of_32():
    envelope = Envelope("token", new_key(), "ww1")

    texts = ["", "汉" * 7, "x" * 4096, "😀" * 33]

    assert [envelope.decrypt(envelope.encrypt(text)) for text in texts] == texts
    assert {len(base64.b64decode(envelope.encrypt(text))) % 32 for text in texts} == {0}


def test_an_envelope_for_another_corp_is_refused():
    key = new_key()
    stranger = Envelope("token", key, "ww2").encrypt("hello")

    with pytest.raises(BadEnvelope, match="somebody else"):
        Envelope("token", key, "ww1").decrypt(stranger)


def test_a_new_key_is_43_letters_and_digits_that_strict_decoders_take():
    key = new_key()

    assert len(key) == 43
    assert set(key) <= set(LETTERS)
    assert base64.b64encode(base64.b64decode(key + "=")).decode() == key + "="
