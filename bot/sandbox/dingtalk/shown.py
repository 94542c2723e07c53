"""What a message looks like in a chat, from each of the ways it can be sent in."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from bot.sandbox.dingtalk.errors import Fault, OldFault
from bot.sandbox.limits import size

PARAM_BYTES = 15_000
Shown = tuple[str, dict[str, Any]]
Values = Mapping[str, str]


def by_key(msg_key: Any, msg_param: Any) -> Shown:
    """
    What ``msgKey`` and ``msgParam`` show (D:robot-message-type).

    Raises Fault: msgParam is a JSON string of strings, with every value of its key.
    """
    if not isinstance(msg_key, str) or msg_key not in KEYS:
        raise Fault(400, "invalidParameter.msgKey.invalid", f"无效的msgKey: {msg_key}")
    names, show = KEYS[msg_key]
    values = _strings(msg_param)
    missing = [name for name in names if name not in values]
    if missing:
        raise Fault(400, "msgParam.invalid", f"msgParam 缺少 {', '.join(missing)}")
    return show(values)


def _strings(msg_param: Any) -> Values:
    if not isinstance(msg_param, str):
        raise Fault(400, "msgParam.invalid", "msgParam 必须是 JSON 字符串")
    if size(msg_param) > PARAM_BYTES:
        raise Fault(400, "msgParam.tooLong", f"msgParam 超过 {PARAM_BYTES} 字节")
    try:
        values = json.loads(msg_param)
    except ValueError:
        raise Fault(400, "msgParam.invalid", "msgParam 不是合法的 JSON") from None
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise Fault(400, "msgParam.invalid", "msgParam 的值必须都是字符串")
    return values


def _text(values: Values) -> Shown:
    return "text", {"text": values["content"]}


def _markdown(values: Values) -> Shown:
    return "markdown", {"title": values["title"], "text": values["text"]}


def _image(values: Values) -> Shown:
    return "image", {"media": values["photoURL"]}


def _link(values: Values) -> Shown:
    url = values["messageUrl"]
    return "link", {"title": values["title"], "text": values["text"], "url": url}


def _single(values: Values) -> Shown:
    return _actions(values, [(values["singleTitle"], values["singleURL"])])


def _stacked(count: int) -> tuple[tuple[str, ...], Callable[[Values], Shown]]:
    pairs = [(f"actionTitle{i}", f"actionURL{i}") for i in range(1, count + 1)]

    def show(values: Values) -> Shown:
        return _actions(values, [(values[title], values[url]) for title, url in pairs])

    return ("title", "text", *(name for pair in pairs for name in pair)), show


def _side_by_side(values: Values) -> Shown:
    pairs = [(values[f"buttonTitle{i}"], values[f"buttonUrl{i}"]) for i in (1, 2)]
    return _actions(values, pairs, beside=True)


def _actions(values: Values, pairs: list[tuple[str, str]], *, beside: bool = False) -> Shown:
    buttons = [{"title": title, "url": url} for title, url in pairs]
    return "actions", {
        "title": values["title"],
        "text": values["text"],
        "buttons": buttons,
        "beside": beside,
    }


SIX = ("title", "text", "buttonTitle1", "buttonUrl1", "buttonTitle2", "buttonUrl2")
KEYS: dict[str, tuple[tuple[str, ...], Callable[[Values], Shown]]] = {
    "sampleText": (("content",), _text),
    "sampleMarkdown": (("title", "text"), _markdown),
    "sampleImageMsg": (("photoURL",), _image),
    "sampleLink": (("text", "title", "picUrl", "messageUrl"), _link),
    "sampleActionCard": (("title", "text", "singleTitle", "singleURL"), _single),
    **{f"sampleActionCard{count}": _stacked(count) for count in (2, 3, 4, 5)},
    "sampleActionCard6": (SIX, _side_by_side),
}


def by_webhook(body: Mapping[str, Any]) -> Shown:
    """
    What a webhook's body shows (D:custom-robots-send-group-messages).

    Raises OldFault: no images, files or cards here.
    """
    kind = body.get("msgtype")
    content = body.get(str(kind))
    if kind is None:
        raise OldFault(40035, "缺少参数 msgtype")
    if kind not in WEBHOOK:
        raise OldFault(400105, "不支持的消息类型")
    if not isinstance(content, dict):
        raise OldFault(40035, f"缺少参数 {kind}")
    return WEBHOOK[str(kind)](content)


def _said(content: Mapping[str, Any], *names: str) -> list[str]:
    for name in names:
        if not isinstance(content.get(name), str) or not content[name]:
            raise OldFault(40035, f"缺少参数 {name}")
    return [content[name] for name in names]


def _webhook_text(content: Mapping[str, Any]) -> Shown:
    return "text", {"text": _said(content, "content")[0]}


def _webhook_markdown(content: Mapping[str, Any]) -> Shown:
    title, text = _said(content, "title", "text")
    return "markdown", {"title": title, "text": text}


def _webhook_link(content: Mapping[str, Any]) -> Shown:
    title, text, url = _said(content, "title", "text", "messageUrl")
    return "link", {"title": title, "text": text, "url": url}


def _webhook_actions(content: Mapping[str, Any]) -> Shown:
    title, text = _said(content, "title", "text")
    if "singleTitle" in content:
        single, url = _said(content, "singleTitle", "singleURL")
        return _actions({"title": title, "text": text}, [(single, url)])
    beside = str(content.get("btnOrientation", "0")) == "1"
    return _actions({"title": title, "text": text}, _pairs(content), beside=beside)


def _pairs(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    buttons = content.get("btns")
    if not isinstance(buttons, list) or not buttons:
        raise OldFault(40035, "缺少参数 btns")
    said = [_said(button, "title", "actionURL") for button in buttons if isinstance(button, dict)]
    return [(title, url) for title, url in said]


def _feed(content: Mapping[str, Any]) -> Shown:
    links = content.get("links")
    if not isinstance(links, list) or not links or not isinstance(links[0], dict):
        raise OldFault(40035, "缺少参数 links")
    lines = [" ".join(("-", *_said(link, "title", "messageURL"))) for link in links]
    return "markdown", {"title": str(links[0]["title"]), "text": "\n".join(lines)}


WEBHOOK: dict[str, Callable[[Mapping[str, Any]], Shown]] = {
    "text": _webhook_text,
    "markdown": _webhook_markdown,
    "link": _webhook_link,
    "actionCard": _webhook_actions,
    "feedCard": _feed,
}
