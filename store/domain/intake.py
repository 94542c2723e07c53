"""An enquiry as somebody handed it in, checked field by field: API, form and file alike."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from store.domain.emails import LIMIT as EMAIL_LIMIT
from store.domain.emails import all_emails, read_email
from store.domain.errors import LeadbotError
from store.domain.names import NAME_LIMIT, clean
from store.domain.newlead import NewLead
from store.domain.phones import all_phones, digits, read_phone
from store.domain.regions import with_province

LIMITS: Mapping[str, int] = {
    "name": NAME_LIMIT,
    "phone": 100,
    "email": EMAIL_LIMIT,
    "wechat": 64,
    "external_userid": 64,
    "company": 200,
    "title": 100,
    "region": 100,
    "industry": 100,
    "product": 200,
    "message": 4000,
    "keyword": 200,
    "campaign": 200,
    "channel": 100,
    "external_id": 200,
    "rep": 64,
}
"""Characters of each text field, counted after what cannot be seen was taken out."""

CONSENT_LIMIT = 4000  # characters
UTM_ENTRIES = 20
UTM_LIMIT = 500  # characters of a value
FIELDS_ENTRIES = 100
FIELDS_LIMIT = 20_000  # characters of the whole as JSON
FIELDS_DEPTH = 5
KEY_LIMIT = 100  # characters of a name inside utm and fields
BIGGEST_INT = 2**63 - 1  # what both databases can give back unchanged
WRITTEN_MINIMUM = 7  # digits a number must have to be kept as it was written
WRITTEN_LIMIT = 64  # characters of a number that is kept as it was written
EXTENSION = "分机"
OTHER_PHONES = "其他电话"
OTHER_EMAILS = "其他邮箱"
"""Where ``fields`` keeps what a cell held beside the first number or mailbox."""
UNREACHABLE = "手机、邮箱、微信至少留一个"

_OBJECTS = frozenset({"consent", "utm", "fields"})
_NOTHING = re.compile(
    r"[\s/\-—.,。?？]*|无|没有|暂无|未知|不详|未填|空|none|null|nil|n/a|na|nan|undefined"
)
_REFUSED = re.compile(
    r"否|不|不要|不行|不同意.*|不愿意?.*|不接受.*|不允许.*|不授权.*|未同意.*|未授权.*|没有?同意.*|拒绝.*|已?撤回.*"
    r"|0|n|no|false|off|f|declined|refused|denied|not given|opt(ed)?[ -]?out|unsubscribed"
)
"""A list or a form that says in the column of the consent that there is none."""
_SAME_AS_PHONE = re.compile(
    r"(微信)?号?[同和与]?(手机|电话|号码|上|左|前|phone)+号?码?(同号|相同|一样)?|(微信)?同号"
)


class BadFields(LeadbotError):
    """What is wrong, field by field; the reasons are shown and never hold what was sent."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("；".join(f"{name}：{reason}" for name, reason in problems.items()))
        self.problems = dict(problems)


@dataclass(slots=True)
class _Form:
    """The values still to be read, and what was found wrong so far."""

    values: Mapping[str, Any]
    problems: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            return self.wrong(name, "要写成文字")
        return self.within(name, clean(value, lines=name == "message"), LIMITS[name])

    def within(self, name: str, text: str, limit: int) -> str:
        return self.wrong(name, f"太长了，最多 {limit} 个字") if len(text) > limit else text

    def wrong(self, name: str, reason: str) -> str:
        self.problems.setdefault(name, reason)
        return ""


def read_fields(values: Mapping[str, Any], source: str) -> NewLead:
    """A checked enquiry out of JSON values under the public names.

    Raises BadFields with every problem at once. A number that cannot be understood
    is kept as written, with ``phone_sure`` False; a blank region is filled from the number.
    """
    form = _Form(values)
    new = _read(form, source)
    _refuse_unknown(form)
    if not new.reachable and not form.problems.keys() & {"phone", "email", "wechat"}:
        form.wrong("phone", UNREACHABLE)
    if form.problems:
        raise BadFields(form.problems)
    return new


def _read(form: _Form, source: str) -> NewLead:
    texts: dict[str, Any] = {name: form.text(name) for name in LIMITS}
    phone = _phone(form, texts["phone"])
    email, *others = _emails(form, texts["email"]) or [""]
    more = phone.more | ({OTHER_EMAILS: "、".join(others)} if others else {})
    texts |= {"email": email, "wechat": _wechat(texts["wechat"])}
    region = with_province(texts["region"])[: LIMITS["region"]] or phone.region
    texts |= {"phone": phone.text, "region": region}
    consent_text, consent_at = _consent(form)
    return NewLead(
        source=source,
        **texts,
        phone_sure=phone.sure,
        consent_text=consent_text,
        consent_at=consent_at,
        utm=_utm(form),
        fields=_fields(form) | more,
    )


def _refuse_unknown(form: _Form) -> None:
    for name in form.values:
        if name not in LIMITS and name not in _OBJECTS:
            form.wrong(clean(str(name))[:KEY_LIMIT], "没有这个字段，其他内容请放进 fields")


@dataclass(frozen=True, slots=True)
class _Number:
    text: str = ""
    sure: bool = True
    region: str = ""
    more: dict[str, str] = field(default_factory=dict)


def _phone(form: _Form, text: str) -> _Number:
    if _is_nothing(text):
        return _Number()
    try:
        phone = read_phone(text)
    except ValueError as reason:
        form.wrong("phone", str(reason))
        return _Number()
    if phone is None:
        return _written(form, text)
    others = [other.e164 for other in all_phones(text) if other.e164 != phone.e164]
    more = {EXTENSION: phone.extension} if phone.extension else {}
    more |= {OTHER_PHONES: "、".join(others)} if others else {}
    return _Number(phone.e164, region=str(phone.region), more=more)


def _written(form: _Form, text: str) -> _Number:
    if len(digits(text)) >= WRITTEN_MINIMUM and len(text) <= WRITTEN_LIMIT:
        return _Number(text, sure=False)
    form.wrong("phone", "看不出是电话号码")
    return _Number()


def _emails(form: _Form, text: str) -> list[str]:
    """The address, and what else stood in its cell: ``a@x.cn; b@x.cn``."""
    if _is_nothing(text):
        return []
    whole = read_email(text)
    found = [whole] if whole else all_emails(text)
    if not found:
        form.wrong("email", "邮箱的写法不对，像 name@example.com 这样")
    return found


def _wechat(text: str) -> str:
    """Blank also for 同手机号, which names nobody and would make one person of all who write it."""
    return "" if _is_nothing(text) or _SAME_AS_PHONE.fullmatch(text.lower()) else text


def _is_nothing(text: str) -> bool:
    return bool(_NOTHING.fullmatch(text.lower()))


def _consent(form: _Form) -> tuple[str, datetime | None]:
    given = _object(form, "consent", {"text", "at"})
    text = given.get("text")
    if text is not None and not isinstance(text, str):
        form.wrong("consent", "text 要写成文字")
    kept = clean(text, lines=True) if isinstance(text, str) else ""
    at = _instant(form, given.get("at"))
    if kept and (_is_nothing(kept) or _REFUSED.fullmatch(kept.lower())):
        return "", None
    return form.within("consent", kept, CONSENT_LIMIT), at


def _instant(form: _Form, at: object) -> datetime | None:
    if at is None or at == "":
        return None
    try:
        instant = datetime.fromisoformat(at) if isinstance(at, str) else None
        if instant is not None and instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    form.wrong("consent", "at 要带时区，像 2026-03-02T10:00:00+08:00 这样")
    return None


def _object(form: _Form, name: str, allowed: set[str] | None = None) -> Mapping[str, Any]:
    value = form.values.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        form.wrong(name, "要写成对象，像 {…} 这样")
        return {}
    if allowed is not None and not value.keys() <= allowed:
        form.wrong(name, f"只能有 {'、'.join(sorted(allowed))}")
    return value


def _utm(form: _Form) -> dict[str, str]:
    given = _object(form, "utm")
    if len(given) > UTM_ENTRIES:
        form.wrong("utm", f"最多 {UTM_ENTRIES} 项")
    elif not all(isinstance(value, str) for value in given.values()):
        form.wrong("utm", "每一项都要写成文字")
    else:
        kept = {clean(key): clean(value) for key, value in given.items()}
        if all(len(key) <= KEY_LIMIT and len(value) <= UTM_LIMIT for key, value in kept.items()):
            return kept
        form.wrong("utm", f"太长了，每一项最多 {UTM_LIMIT} 个字")
    return {}


def _fields(form: _Form) -> dict[str, Any]:
    given = _object(form, "fields")
    if len(given) > FIELDS_ENTRIES:
        form.wrong("fields", f"最多 {FIELDS_ENTRIES} 项")
        return {}
    try:
        kept: dict[str, Any] = _plain(given, FIELDS_DEPTH)
    except ValueError as reason:
        form.wrong("fields", str(reason))
        return {}
    if len(json.dumps(kept, ensure_ascii=False)) > FIELDS_LIMIT:
        form.wrong("fields", f"太长了，一共最多 {FIELDS_LIMIT} 个字")
    return kept


def _plain(value: Any, depth: int) -> Any:
    """The JSON value with clean texts. Raises ValueError for what no database gives back."""
    if depth < 0:
        raise ValueError("套得太深了")
    if isinstance(value, str):
        return clean(value, lines=True)
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    return _number(value)


def _key(key: object) -> str:
    if not isinstance(key, str) or len(name := clean(key)) > KEY_LIMIT:
        raise ValueError(f"每一项的名字最多 {KEY_LIMIT} 个字")
    return name


def _number(value: Any) -> bool | int | float | None:
    checks: Mapping[type, Callable[[Any], bool]] = {
        bool: lambda _: True,
        type(None): lambda _: True,
        int: lambda number: abs(number) <= BIGGEST_INT,
        float: math.isfinite,
    }
    if type(value) not in checks:
        raise ValueError("只能是文字、数字、列表和对象")
    if not checks[type(value)](value):
        raise ValueError("有一个数太大了")
    return value  # type: ignore[no-any-return]
