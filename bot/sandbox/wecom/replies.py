"""Passive replies: the XML of D:90241 as the JSON the other calls use."""

import re
from typing import Any
from xml.etree import ElementTree as ET

REPEATED = {
    "HorizontalContentList",
    "VerticalContentList",
    "JumpList",
    "ButtonList",
    "ActionList",
    "OptionList",
    "SelectList",
}
NAMES = {
    "KeyName": "keyname",
    "UserId": "userid",
    "AppId": "appid",
    "PagePath": "pagepath",
    "CheckBox": "checkbox",
}
NUMBERS = {"type", "style", "desc_color", "mode", "disable"}


def card_of(element: ET.Element) -> dict[str, Any]:
    """``<TemplateCard>`` with its names and shape as in message/send."""
    card: dict[str, Any] = {}
    for child in element:
        name, value = _name(child.tag), _value(child)
        if child.tag in REPEATED:
            card.setdefault(name, []).append(value)
        else:
            card[name] = value
    return card


def _value(element: ET.Element) -> Any:
    if len(element):
        return card_of(element)
    text = element.text or ""
    return int(text) if _name(element.tag) in NUMBERS and text.isdigit() else text


def _name(tag: str) -> str:
    return NAMES.get(tag) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", tag).lower()
