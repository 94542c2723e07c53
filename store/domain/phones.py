"""Telephone numbers as people write them in China: read, compared, and hidden."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from store.domain.emails import masked_email
from store.domain.names import clean, masked_name
from store.domain.regions import NOWHERE, Region, landline_region, mobile_region


class Kind(StrEnum):
    MOBILE = "mobile"
    FIXED = "fixed"  # a desk or a switchboard: several people answer it
    SERVICE = "service"  # 400 and 800
    OTHER = "other"  # abroad, where mobile and fixed look alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """``e164`` without the extension; ``province`` and ``city`` only for numbers of the mainland."""

    e164: str
    kind: Kind
    extension: str = ""
    province: str = ""
    city: str = ""

    @property
    def region(self) -> Region:
        return Region(self.province, self.city)


SCIENTIFIC = "号码变成了科学计数法（如 1.35E+10），位数已经丢了，请把这一列设为文本后重新导出"
LETTERS = "号码里混进了字母，请核对"

GROUPS = 4  # words one number is written in: 86 138 0013 8000
MOST_WORDS = 40  # of one run that are tried together: more are no list of numbers

_KINDS = {
    PhoneNumberType.MOBILE: Kind.MOBILE,
    PhoneNumberType.FIXED_LINE: Kind.FIXED,
    PhoneNumberType.TOLL_FREE: Kind.SERVICE,
    PhoneNumberType.SHARED_COST: Kind.SERVICE,
    PhoneNumberType.UAN: Kind.SERVICE,
}
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−─－ー_"), "-") | dict.fromkeys(map(ord, "·•・"), ".")
_FORMULA = re.compile(r'="?([^"]*)"?')
_POWER = re.compile(r"[+-]?\d+(\.\d+)?e[+-]?\d+", re.IGNORECASE)
_FLOAT = re.compile(r"(\d{7,})\.0+")
_RUN = re.compile(r"[+(]?\d[\d\-. ()+*]*")
_EXTENSION = re.compile(
    r"\s*(?:\([^)\d]{1,6}\))?\s*[,;(]?\s*"
    r"(?:[转轉]?接?分[机機]号?码?|[转轉]接?|内线|ext(?:ension)?\.?|x|#)\s*[:.=]?\s*(\d{1,6})(?!\d)",
    re.IGNORECASE,
)
_DASHED_EXTENSION = re.compile(r"(.*\d)-(\d{1,6})")
_BRACKETED_EXTENSION = re.compile(r"(.*\d)\s*\((\d{1,6})\)?")
_GROUPED = re.compile(r"\d{2}(?:,\d{3}){3}")  # a mobile that a sheet shows as an amount
_SPELLED = dict(zip(map(ord, "〇零幺一二三四五六七八九"), "001123456789", strict=True))
_SPOKEN = re.compile(
    r"(?<![〇零幺一二三四五六七八九\d])[1幺一](?:[- ]?[〇零幺一二三四五六七八九\d]){10}(?![〇零幺一二三四五六七八九\d])"
)
_HEAD = re.compile(r"\+?86|0086|\(?0\d{2,3}\)?|1[3-9]\d|[48]00")
_STARRED_EXTENSION = re.compile(r"([^*]*\d)\*(\d{1,6})")
_NEXT_DESK = re.compile(r"(?:-\d{1,6})?\s*(?:/|、|或)\s*(\d{7,8})(?![\d-])")
_MOBILE = re.compile(r"(?<!\d)(?:\+?86|0086)?-?(1[3-9]\d{9})(?!\d)")
_AMERICAN = re.compile(r"1[-. (]+\d{3}[-. )]+\d{3}[-. ]+\d{4}")
_MAINLAND = re.compile(r"\+86\d{8,12}")
_DESK = re.compile(r"0\d+-\d+")
_LETTER = re.compile(r"[A-Za-z]")


def read_phone(text: str) -> Phone | None:
    """The first real number of a cell; None when there is none that can be understood.

    Raises ValueError, with a reason in Chinese, for digits that Excel lost
    (``1.35E+10``) and for letters among the digits (``13800138OOO``).
    """
    text = _plain(text)
    if _POWER.fullmatch(text):
        raise ValueError(SCIENTIFIC)
    found = all_phones(text)
    if not found and _has_letters_inside(text):
        raise ValueError(LETTERS)
    return found[0] if found else None


def all_phones(text: str) -> list[Phone]:
    """Every real number of a text once, in order; never raises."""
    return list(_found(_plain(text)))


@lru_cache(maxsize=4096)
def _found(text: str) -> tuple[Phone, ...]:
    found: dict[str, Phone] = {}
    for run in _RUN.finditer(text):
        for phone in _in_run(text, run):
            found.setdefault(phone.e164, phone)
            for beside in _beside(phone, text[run.end() :]):
                found.setdefault(beside.e164, beside)
    return tuple(found.values())


def _beside(phone: Phone, rest: str) -> Iterator[Phone]:
    """The second desk of ``010-62770334/62770335``, which does without its area code."""
    local = phone.e164.removeprefix("+86")
    after = _NEXT_DESK.match(rest)
    if phone.kind is Kind.FIXED and after and phone.e164.startswith("+86"):
        head = local[: len(local) - len(after[1])]
        if len(head) in {2, 3} and (beside := _number(f"0{head}{after[1]}")):
            yield beside


@lru_cache(maxsize=4096)
def kind_of(e164: str) -> Kind:
    """What kind of line an E.164 number is; OTHER when it is no number."""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return Kind.OTHER
    return _KINDS.get(phonenumbers.number_type(number), Kind.OTHER)


def national(e164: str) -> str:
    """How people here write and dial it: ``13800138000``, ``0755-86013388``; abroad as it is."""
    if not _MAINLAND.fullmatch(e164):
        return e164
    number = phonenumbers.parse(e164)
    area = _area_code(number)
    rest = str(number.national_number)
    return f"{area}-{rest[len(area) - 1 :]}" if area else rest


def masked(text: str) -> str:
    """What somebody who does not own the lead sees: ``138****8000``, ``z***@x.cn``, ``王*``."""
    if "@" in text:
        return masked_email(text)
    return _masked_number(text) if len(digits(text)) >= 5 else masked_name(text)


def spelled_digits(text: str) -> str:
    """``一三八零零`` with the digits it means: ``13800``."""
    return text.translate(_SPELLED)


def digits(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKC", text) if char in "0123456789")


def _masked_number(text: str) -> str:
    if "*" in text and len(digits(text)) <= 7:
        return text
    shown = national(text) if _MAINLAND.fullmatch(text) else text
    area, _, rest = shown.rpartition("-") if _DESK.fullmatch(shown) else ("", "", shown)
    plain = digits(rest)
    if area:
        return f"{area}-****{plain[-4:]}"
    head, tail = (3, 4) if len(plain) >= 10 else (len(plain) // 4, len(plain) // 4)
    return f"{plain[:head]}****{plain[-tail:]}"


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", clean(text)).translate(_DASHES).strip(" '`’")
    if formula := _FORMULA.fullmatch(text):
        text = formula[1]
    if number := _FLOAT.fullmatch(text):
        text = number[1]
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    return _SPOKEN.sub(lambda spoken: spelled_digits(spoken[0]), text.strip())


def _has_letters_inside(text: str) -> bool:
    """Whether a letter stands against a digit, in a text with enough of both to be a number."""
    runs = re.findall(r"[A-Za-z\d][A-Za-z\d\-. ]*", _EXTENSION.sub(" ", text))
    return any(
        len(digits(run)) >= 5 and re.search(r"\d[-. ]?[A-Za-z]|[A-Za-z]\d", run) for run in runs
    )


def _in_run(text: str, run: re.Match[str]) -> Iterator[Phone]:
    if "*" in run[0]:
        starred = _STARRED_EXTENSION.fullmatch(run[0].strip())
        if starred and (phone := _number(starred[1], starred[2])):
            yield phone
        return
    written = run[0].strip(" -.")
    tail = text[run.start() + len(run[0].rstrip(" -.(")) :]
    if not _letter_follows(tail) or _MOBILE.fullmatch(written):
        extension = _EXTENSION.match(tail)
        if phone := _number(written, extension[1] if extension else ""):
            yield phone
            return
        yield from _pieces(written)


def _letter_follows(tail: str) -> bool:
    return bool(_LETTER.match(tail)) and not _EXTENSION.match(tail)


def _pieces(written: str) -> Iterator[Phone]:
    """A desk with its extension behind a dash or in brackets, or several numbers in one run."""
    dashed = _DASHED_EXTENSION.fullmatch(written) or _BRACKETED_EXTENSION.fullmatch(written)
    if dashed and (phone := _number(dashed[1], dashed[2])):
        yield phone
        return
    whole = [phone for part in written.split() if (phone := _number(part))]
    if not whole:
        whole = [phone for one in _MOBILE.findall(written) if (phone := _number(one))]
    yield from whole or _groups(written.split()[:MOST_WORDS])


def _groups(words: list[str]) -> Iterator[Phone]:
    """``138 0013 8000 139 0013 9000``: the words that together are a number, one after another."""
    at = 0
    while at < len(words):
        ends = (
            range(at + 2, min(at + GROUPS, len(words)) + 1) if _HEAD.fullmatch(words[at]) else ()
        )
        tried = ((end, _number(" ".join(words[at:end]))) for end in ends)
        end, phone = next(((end, phone) for end, phone in tried if phone), (at + 1, None))
        if phone:
            yield phone
        at = end


def _number(written: str, extension: str = "") -> Phone | None:
    international = _international(written)
    if not international:
        return None
    try:
        number = phonenumbers.parse(international)
    except phonenumbers.NumberParseException:
        return None
    line = phonenumbers.number_type(number)
    if line == PhoneNumberType.UNKNOWN:
        return None
    return _phone(number, _KINDS.get(line, Kind.OTHER), extension)


def _international(written: str) -> str:
    """The number with its country code, or nothing where reading it as Chinese would be a guess.

    Without a country code only what can be nothing else is Chinese: 11 digits from 1,
    an area code with its zero, 400 and 800. An American 1-660-643-4947 has the digits of a
    Chinese mobile, and 660-643-4947 those of a desk in Guangdong.
    """
    plain = digits(written)
    if written.lstrip("(").startswith("+"):
        return "+" + re.sub(r"^860(?=\d)", "86", plain)
    if plain.startswith("00"):
        return "+" + re.sub(r"^860(?=\d)", "86", plain[2:])
    if plain.startswith("86") and len(plain) >= 12:
        return "+86" + plain[2:].removeprefix("0")
    if plain.startswith("0"):
        return "+86" + plain[1:]
    if _is_mobile(plain) and not _AMERICAN.fullmatch(written):
        return "+86" + plain
    return "+86" + plain if plain.startswith(("400", "800")) and len(plain) == 10 else ""


def _is_mobile(plain: str) -> bool:
    return len(plain) == 11 and plain.startswith("1")


def _phone(number: PhoneNumber, kind: Kind, extension: str) -> Phone:
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    province, city = _region(number, kind)
    return Phone(e164=e164, kind=kind, extension=extension, province=province, city=city)


def _region(number: PhoneNumber, kind: Kind) -> Region:
    if number.country_code != 86:
        return NOWHERE
    if kind is Kind.MOBILE:
        return mobile_region(str(number.national_number))
    return landline_region(_area_code(number))


def _area_code(number: PhoneNumber) -> str:
    """``0755``; nothing for numbers without one."""
    length = phonenumbers.length_of_geographical_area_code(number)
    return "0" + str(number.national_number)[:length] if length else ""
