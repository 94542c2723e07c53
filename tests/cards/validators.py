"""What each platform refuses, written from its documentation and not from our renderers."""

import json
import re
from urllib.parse import parse_qs, urlsplit

INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)


def sendable(payload):
    """The payload as bytes on the wire: real UTF-8, which a lone surrogate cannot be."""
    return json.dumps(payload, ensure_ascii=False).encode()


def texts(value):
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


def check_wecom_card(payload):
    assert sendable(payload)
    assert payload.keys() == {"msgtype", "template_card"}
    assert payload["msgtype"] == "template_card"
    card = payload["template_card"]
    assert card["card_type"] == "button_interaction"
    assert card.keys() <= {
        "card_type",
        "source",
        "main_title",
        "quote_area",
        "sub_title_text",
        "horizontal_content_list",
        "button_list",
    }
    assert 1 <= len(card["source"]["desc"]) <= 20
    assert 1 <= len(card["main_title"]["title"]) <= 36
    assert len(card["main_title"]["desc"]) <= 44
    assert len(card.get("sub_title_text", "")) <= 160
    check_wecom_rows(card.get("horizontal_content_list", []))
    check_wecom_buttons(card["button_list"])
    assert not [text for text in texts(card) if INVISIBLE.search(text)]


def check_wecom_rows(rows):
    assert len(rows) <= 6
    for row in rows:
        assert row.keys() == {"keyname", "value"}
        assert 1 <= len(row["keyname"]) <= 5
        assert 1 <= len(row["value"]) <= 30


def check_wecom_buttons(buttons):
    assert 1 <= len(buttons) <= 6
    for button in buttons:
        assert button.keys() == {"text", "style", "key"}
        assert 1 <= len(button["text"]) <= 10
        assert button["style"] in {1, 2, 3, 4}
        assert 1 <= len(button["key"].encode()) <= 1024
    assert len({button["key"] for button in buttons}) == len(buttons)


def check_dingtalk_message(payload):
    assert payload.keys() == {"msgKey", "msgParam"}
    param = payload["msgParam"]
    assert len(sendable(param)) <= 15_000
    assert all(isinstance(value, str) and value for value in param.values())
    assert set(param) == dingtalk_keys(payload["msgKey"])
    assert len(param.get("text", param.get("content", ""))) <= 3_800
    assert not [text for text in param.values() if INVISIBLE.search(text)]
    for name, url in param.items():
        if "URL" in name:
            assert said(url)


def dingtalk_keys(kind):
    if kind == "sampleText":
        return {"content"}
    if kind == "sampleMarkdown":
        return {"title", "text"}
    if kind == "sampleActionCard":
        return {"title", "text", "singleTitle", "singleURL"}
    count = int(re.fullmatch(r"sampleActionCard([2-5])", kind)[1])
    pairs = {f"action{part}{place}" for part in ("Title", "URL") for place in range(1, count + 1)}
    return {"title", "text"} | pairs


def said(url):
    """The line a press on this link sends."""
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("dtmd", "dingtalkclient", "/sendMessage")
    return parse_qs(parts.query, strict_parsing=True)["content"][0]


def lines(payload):
    """The command lines behind the buttons of either platform's card."""
    if "template_card" in payload:
        return [button["key"] for button in payload["template_card"]["button_list"]]
    param = payload["msgParam"]
    return [said(value) for name, value in param.items() if "URL" in name]
