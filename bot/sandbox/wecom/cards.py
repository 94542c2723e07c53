"""
What WeCom accepts as a template card, with the codes it refuses others by.

D:90236 and the error table 90313. The lengths of texts are advice there (the
client cuts), counts and identifiers are rules.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.sandbox.limits import size
from bot.sandbox.wecom.errors import No

INTERACTIVE = ("button_interaction", "vote_interaction", "multiple_interaction")
NOTICES = ("text_notice", "news_notice")
TASK_ID = re.compile(r"[0-9A-Za-z_@-]{1,128}")
MOST_KEY_BYTES = 1024

Card = Mapping[str, Any]


def has_buttons(card: Card) -> bool:
    """Whether pressing something on it calls back: then it has a response code."""
    return card.get("card_type") in INTERACTIVE or "action_menu" in card


def check(card: Any, *, update: bool = False, robot: bool = False) -> None:
    """Raises No with the platform's code. ``update``: needs no task id (D:94888)."""
    if not isinstance(card, dict):
        raise No(40063, "some parameters are empty: template_card")
    kind = card.get("card_type")
    if kind not in (NOTICES if robot else (*NOTICES, *INTERACTIVE)):
        raise No(42031, "invalid Template_Card.CardType")
    _common(card)
    OWN[str(kind)](card)
    if has_buttons(card) and not update:
        _task_id(card.get("task_id"))


def _common(card: Card) -> None:
    for part in _list(card, "horizontal_content_list", 6, 42035):
        _horizontal(part)
    for part in _list(card, "jump_list", 3, 42042):
        _text(part, "title", 42033)
        _link(part)
    for part in _list(card, "vertical_content_list", 4, 42036):
        _text(part, "title", 42033)
    if "card_action" in card:
        _action(card["card_action"])
    if "action_menu" in card:
        _menu(card["action_menu"])


def _horizontal(part: Card) -> None:
    _text(part, "keyname", 42027)
    kind = part.get("type", 0)
    if kind == 1:
        _url(part.get("url"))
    elif kind == 2:
        _text(part, "media_id", 42029)
    elif kind == 3:
        _text(part, "userid", 42050)
    if not isinstance(part.get("value", ""), str):
        raise No(40058, "invalid Request Parameter: horizontal_content_list.value")


def _link(part: Card) -> None:
    if part.get("type", 0) == 1:
        _url(part.get("url"))
    elif part.get("type") == 2:
        _text(part, "appid", 42030)


def _action(action: Any) -> None:
    if not isinstance(action, dict) or action.get("type") not in (1, 2):
        raise No(42045, "missing or invalid Template_Card.card_action")
    _link(action)


def _menu(menu: Any) -> None:
    actions = _list(menu, "action_list", 3, 40058, least=1)
    for action in actions:
        _text(action, "text", 42038)
        _key(action.get("key"), 42039)
    if len({action["key"] for action in actions}) < len(actions):
        raise No(42051, "Template_Card.action_menu.action_list.key conflict")


def _title(card: Card) -> None:
    title = card.get("main_title")
    if not isinstance(title, dict):
        raise No(42033, "missing Template_Card.main_title")
    _text(title, "title", 42033)


def _text_notice(card: Card) -> None:
    if not card.get("sub_title_text"):
        _title(card)
    _action(card.get("card_action"))


def _news_notice(card: Card) -> None:
    _title(card)
    image = card.get("card_image")
    if "image_text_area" not in card and not (isinstance(image, dict) and image.get("url")):
        raise No(42044, "missing or invalid Template_Card.card_image.url")
    _action(card.get("card_action"))


def _buttons(card: Card) -> None:
    _title(card)
    for button in _list(card, "button_list", 6, 42038, least=1):
        _text(button, "text", 42038)
        if button.get("type", 0) == 1:
            _url(button.get("url"))
        else:
            _key(button.get("key"), 42039)
    if "button_selection" in card:
        _selection(card["button_selection"], 10)


def _vote(card: Card) -> None:
    _title(card)
    _selection(card.get("checkbox"), 20)
    _submit(card)


def _multiple(card: Card) -> None:
    _title(card)
    for selection in _list(card, "select_list", 3, 42047, least=1):
        _selection(selection, 10)
    _submit(card)


def _selection(selection: Any, most: int) -> None:
    if not isinstance(selection, dict):
        raise No(42043, "missing or invalid Template_Card.question_Key")
    _key(selection.get("question_key"), 42043)
    for option in _list(selection, "option_list", most, 42037, least=1):
        if not 0 < size(str(option.get("id") or "")) <= 128:
            raise No(42040, "missing or invalid Template_Card.option_list.id")
        _text(option, "text", 42041)


def _submit(card: Card) -> None:
    button = card.get("submit_button")
    if not isinstance(button, dict):
        raise No(42046, "missing or invalid Template_Card.submit_button.key")
    _key(button.get("key"), 42046)
    if not isinstance(button.get("text", ""), str):
        raise No(42049, "missing or invalid Template_Card.submit_button.text")


def _list(holder: Any, name: str, most: int, code: int, *, least: int = 0) -> list[dict[str, Any]]:
    parts = holder.get(name, []) if isinstance(holder, dict) else None
    if not isinstance(parts, list) or not least <= len(parts) <= most:
        raise No(code, f"invalid length of Template_Card.{name}")
    if not _all_objects(parts):
        raise No(40058, f"invalid Request Parameter: {name}")
    return parts


def _all_objects(parts: Iterable[Any]) -> bool:
    return all(isinstance(part, dict) for part in parts)


def _text(part: Card, name: str, code: int) -> None:
    if not isinstance(part.get(name), str) or not part[name]:
        raise No(code, f"missing or invalid Template_Card {name}")


def _key(key: Any, code: int) -> None:
    if not isinstance(key, str) or not 0 < size(key) <= MOST_KEY_BYTES:
        raise No(code, "missing or invalid Template_Card key")


def _url(url: Any) -> None:
    if not isinstance(url, str) or not url:
        raise No(42028, "missing Template_Card url")
    if not url.startswith(("http://", "https://")):
        raise No(45034, "url must have a scheme")


def _task_id(task_id: Any) -> None:
    if not isinstance(task_id, str) or not TASK_ID.fullmatch(task_id):
        raise No(42014, "invalid task_id")


OWN: dict[str, Callable[[Card], None]] = {
    "text_notice": _text_notice,
    "news_notice": _news_notice,
    "button_interaction": _buttons,
    "vote_interaction": _vote,
    "multiple_interaction": _multiple,
}
