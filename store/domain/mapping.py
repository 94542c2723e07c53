"""From somebody else's form to an enquiry: which value stands where, and as what text."""

import math
from collections.abc import Mapping
from typing import Any

from store.domain.intake import LIMITS

DEEPEST = 12
"""Lists within lists; a body that goes deeper is nobody's form."""


def find(body: Any, path: str) -> Any:
    """The value at a dotted path: ``data.电话``, ``answers.0.text``; None where there is none.

    A key that has dots itself is found too: the longest key that fits is tried first.
    """
    if not path:
        return body
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        here = _step(body, ".".join(parts[:length]))
        if here is not None:
            found = find(here, ".".join(parts[length:]))
            if found is not None:
                return found
    return None


def _step(body: Any, key: str) -> Any:
    if isinstance(body, Mapping):
        return body.get(key)
    if isinstance(body, list) and key.isdecimal() and len(key) < 6 and int(key) < len(body):
        return body[int(key)]
    return None


def as_text(value: Any, depth: int = 0) -> str:
    """What a person would have written: numbers as digits, several choices with 、 between them."""
    if value is None or depth > DEEPEST:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    if isinstance(value, Mapping):
        return _joined(value.values(), " ", depth)
    if isinstance(value, list):
        return _joined(value, "、", depth)
    return str(value).strip()


def _joined(values: Any, between: str, depth: int) -> str:
    texts = (as_text(value, depth + 1) for value in values)
    return between.join(text for text in texts if text)


def as_enquiry(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` by field, for ``read_fields``; names that are no field of a lead go to ``fields``."""
    texts = {name: as_text(value) for name, value in values.items()}
    filled = {name: text for name, text in texts.items() if text}
    enquiry: dict[str, Any] = {name: text for name, text in filled.items() if name in LIMITS}
    if "consent" in filled:
        enquiry["consent"] = {"text": filled["consent"]}
    more = {n: text for n, text in filled.items() if n not in LIMITS and n != "consent"}
    return enquiry | ({"fields": more} if more else {})
