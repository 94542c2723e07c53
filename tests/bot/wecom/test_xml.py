from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.platforms.wecom.xml import cdata, parse_xml
from store.domain.errors import BadCallback
from tests.bot.wecom.given import lines

LAUGHS = """<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;">]><xml><Content>&c;</Content></xml>"""
FILE = '<!DOCTYPE xml [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><C>&f;</C></xml>'


@pytest.mark.parametrize("case", lines("wecom_callback_plain.jsonl"))
def test_every_published_body_is_read_as_it_says(case):
    assert parse_xml(case["raw"]) == case["expected"]


def test_a_repeated_tag_becomes_a_list_and_a_single_one_does_not():
    one = parse_xml("<xml><I><O>a</O></I></xml>")
    three = parse_xml("<xml><I><O>a</O><O>b</O><O><P>c</P></O></I></xml>")

    assert one == {"I": {"O": "a"}}
    assert three == {"I": {"O": ["a", "b", {"P": "c"}]}}


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        FILE,
        "<!DOCTYPE xml><xml><a>1</a></xml>",
        "<xml><a>&undefined;</a></xml>",
        "<xml><a>",
        "<xml/>",
        "<xml>words</xml>",
        "",
        "hello",
        "<a>" * 30 + "</a>" * 30,
        "<a>" * 100_000,
        "<xml><a>1</a></xml><xml/>",
    ],
)
def test_bombs_and_broken_documents_are_refused(text):
    with pytest.raises(BadCallback):
        parse_xml(text)


def test_a_pasted_control_character_does_not_lose_the_message():
    assert parse_xml("<xml><C><![CDATA[a\x08\x00b]]></C></xml>") == {"C": "ab"}


def test_the_declared_encoding_is_not_believed():
    assert parse_xml('<?xml version="1.0" encoding="gbk"?><xml><C>好</C></xml>') == {"C": "好"}


@given(st.text(st.characters(exclude_categories=[]), max_size=200))
@settings(max_examples=300, deadline=None)
def test_whatever_is_put_in_cdata_comes_out_readable(text):
    read = parse_xml(f"<xml><C>x{cdata(text)}x</C></xml>")["C"]

    assert read.startswith("x")
    assert read.endswith("x")
    assert set(read) <= set(text) | set("x\n")


def test_cdata_cannot_be_closed_from_inside():
    assert parse_xml(f"<xml><C>{cdata(']]><b>1</b>')}</C></xml>") == {"C": "]]><b>1</b>"}


@given(st.text(max_size=300) | st.text("<>/!&;[]xC ab\"'=?-", max_size=120))
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_dict_or_a_bad_callback(text):
    with suppress(BadCallback):
        assert isinstance(parse_xml(text), dict)
