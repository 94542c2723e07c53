"""Cards: from values to JSON. No I/O and no clock, so a card can be tested by looking at it."""

from collections.abc import Callable, Mapping
from typing import Any

from cards import dingtalk, wecom
from cards.model import Card
from store.domain.team import Channel

RENDER: Mapping[Channel, Callable[[Card], dict[str, Any]]] = {
    Channel.WECOM: wecom.render,
    Channel.DINGTALK: dingtalk.render,
}
TEXT: Mapping[Channel, Callable[[str], dict[str, Any]]] = {
    Channel.WECOM: wecom.text,
    Channel.DINGTALK: dingtalk.text,
}


def render(card: Card, channel: Channel, *, interactive: bool = False) -> dict[str, Any]:
    """``card`` as a member's chat on ``channel`` takes it. Never raises, whatever is in the card.

    ``interactive``: DingTalk's card platform has our template, so the card comes in
    that form, too; which one is sent is decided when it is sent.
    """
    payload = RENDER[channel](card)
    if interactive and channel == Channel.DINGTALK:
        payload["card"] = dingtalk.interactive(card)
    return payload


def render_text(text: str, channel: Channel) -> dict[str, Any]:
    """``text`` as a plain message of a member's chat on ``channel``, cut to what it takes."""
    return TEXT[channel](text)
