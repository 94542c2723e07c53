"""What a column is, from its heading: the names CRMs and people give them."""

import re
import unicodedata
from collections.abc import Sequence

from bot.files.sheet import Cell

REACH = frozenset({"phone", "email", "wechat", "external_userid", "either"})
"""Columns without which nobody in the file could be reached."""

NAMES: dict[str, str] = {
    "contact": "联系人|联系人姓名|联系人名称|联系人名|联络人|contact|contactname|contactperson",
    "name": "姓名|名字|称呼|客户姓名|学员姓名|家长姓名|线索姓名|name|fullname|leadname|clientname",
    "label": "名称|客户名称|客户名|客户|线索名称|customername|customer",
    "family": "姓|姓氏|lastname|surname|familyname",
    "given": "名|firstname|givenname|forename",
    "phone": (
        "手机|手机号|手机号码|移动电话|联系手机|mobile|mobilephone|mobilenumber|cell|cellphone|"
        "电话|联系电话|电话号码|联系方式|联系号码|phone|phonenumber|phone1|tel|telephone|电话1|"
        "固定电话|座机|办公电话|公司电话|landline|businessphone|workphone|homephone|phone2|电话2|"
        "号码|联络电话|联络方式|行动电话|手提电话|contactno|contactnumber|contactphone|whatsapp"
    ),
    "email": "邮箱|电子邮箱|邮箱地址|电子邮件|邮件|email|emailaddress|email1|mail|email2|电邮|电邮地址",
    "wechat": "微信|微信号|微信id|wechat|wechatid|weixin|wx",
    "external_userid": "externaluserid|外部联系人id",
    "company": (
        "公司|公司名称|公司名|企业|企业名称|单位|单位名称|工作单位|company|companyname|organization|"
        "organisation|account|accountname"
    ),
    "title": "职位|职务|岗位|title|jobtitle|position",
    "region": "地区|区域|所在地区|所在地|省市|region|area",
    "province": "省份|省|所在省份|所在省|province|state",
    "city": "城市|市|所在城市|所在市|city",
    "industry": "行业|行业类别|所属行业|客户行业|industry",
    "product": "产品|意向产品|感兴趣的产品|咨询产品|产品名称|product|productinterest",
    "message": (
        "留言|需求|需求描述|咨询内容|客户需求|message|enquiry|inquiry|comments|"
        "备注|说明|描述|description|notes|note|remark|remarks|comment"
    ),
    "keyword": "关键词|搜索词|keyword|searchterm",
    "campaign": "活动|活动名称|推广计划|campaign|campaignname",
    "channel": "渠道|来源|线索来源|客户来源|来源渠道|leadsource|clueorigin|source|channel",
    "external_id": "线索id|线索编号|客户id|客户编号|编号|leadid|externalid|recordid|id",
    "rep": "指定销售|销售顾问|跟进人|销售|销售员|业务员|归属销售|跟进销售|rep",
    "consent": "同意内容|授权内容|consent|consenttext",
    "utm_source": "utmsource",
    "utm_medium": "utmmedium",
    "utm_campaign": "utmcampaign",
    "utm_term": "utmterm",
    "utm_content": "utmcontent",
}
"""Headings of each column, in the order in which they are preferred."""

DERIVED = frozenset(
    {"stage", "score", "grade", "owner", "place", "captured_at", "masked", "qualification"}
)
"""What our own export tells of a lead and an import does not take: it is worked out anew."""
KEPT = frozenset({"source", "utm", "fields", "consent_at"})
"""What is read in a file of our own only: elsewhere these words mean other things."""
EXPORT = frozenset({"source", "stage", "score", "grade", "owner", "place", "captured_at"})
"""The headings by which a file of our own is known."""

COLUMNS = {
    heading: (column, rank)
    for column, headings in NAMES.items()
    for rank, heading in enumerate(headings.split("|"))
}
_HINT = re.compile(r"必填|选填|可选|非必填|required|optional|请填写|示例：?", re.IGNORECASE)
_ASIDE = re.compile(r"\([^)]*\)|必填|选填")
_MARKS = re.compile(r"[^\w]|_")
_ALTERNATIVES = re.compile(r"[/|、&或和]|\bor\b")
_WHOSE = re.compile(
    r"(客户|联系人|联络人|线索|用户|学员|家长|个人|本人|您的|你的|主要|常用|备用|"
    r"customer|contact|client|lead|user|person|your|primary|main|other)s?(?=..)"
)
_WHICH = re.compile(
    r"(第[一二三]|其[他它]|另外?|工作|私人|办公|家庭|备选|次要|"
    r"secondary|second|alternate|alternative|alt|additional|work|business|office|personal|private|home|backup)"
    r"(?=..)"
)
_COUNT = re.compile(r"\d+$|(?:no|num|number|号码?|地址|address)$")
_LOOSE = REACH | {
    "name", "family", "given", "company", "title", "region", "province", "city", "industry",
    "product", "message",
}  # fmt: skip
"""Columns that may say whose they are. ``user_id`` may be a colleague's, and so is none of them."""
_LOOSE_RANK = 100  # a heading that is known as it stands is preferred
_SIMPLE = str.maketrans(
    "機號碼電話聯絡繫係郵稱業務職單區產備註說來動關鍵詞編戶線處於",
    "机号码电话联络系系邮称业务职单区产备注说来动关键词编户线处于",
)
"""The traditional characters that headings are written with."""


def column(heading: Cell) -> tuple[str, int] | None:
    """The column a heading names and how well it fits, 0 best; None when it is unknown.

    ``either`` is a column that may hold a number, a mailbox or a WeChat id: 电话/微信.
    """
    text = _plain(heading)
    return _named(_MARKS.sub("", text)) or _either(_ALTERNATIVES.split(text))


def _plain(heading: Cell) -> str:
    text = unicodedata.normalize("NFKC", str(heading or "")).casefold().translate(_SIMPLE)
    text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return _ASIDE.sub("", text)


def _named(bare: str) -> tuple[str, int] | None:
    """Known as it stands, or without whose it is (客户手机) or which (手机2)."""
    if bare in COLUMNS:
        return COLUMNS[bare]
    thing = _WHOSE.sub("", bare) if _WHOSE.match(bare) else bare
    whole, counted = COLUMNS.get(thing), COLUMNS.get(_COUNT.sub("", thing))
    if whole and len(thing) > 1 and whole[0] in _LOOSE:
        return whole[0], whole[1] + _LOOSE_RANK
    if counted and counted[0] in REACH:
        return counted[0], counted[1] + _LOOSE_RANK
    return _one_more(bare) or _one_more(thing)


def _one_more(thing: str) -> tuple[str, int] | None:
    """A second way to reach somebody: Secondary Email, 工作邮箱."""
    other = COLUMNS.get(_COUNT.sub("", _WHICH.sub("", thing))) if _WHICH.match(thing) else None
    return (other[0], other[1] + 2 * _LOOSE_RANK) if other and other[0] in REACH else None


def _either(parts: Sequence[str]) -> tuple[str, int] | None:
    """Several ways to reach somebody in one heading."""
    ways = [_named(_MARKS.sub("", part)) for part in parts]
    columns = {way[0] for way in ways if way and way[0] in REACH}
    if len(parts) < 2 or None in ways or not columns:
        return None
    if any(way[0] not in REACH for way in ways if way):
        return None
    return (columns.pop() if len(columns) == 1 else "either"), _LOOSE_RANK


def is_heading(row: Sequence[Cell]) -> bool:
    """Whether at least half of what the row says, or four cells of it, names columns."""
    filled = [cell for cell in row if cell not in (None, "")]
    known = sum(column(cell) is not None for cell in filled)
    return bool(known) and (known * 2 >= len(filled) or known >= 4)


def is_hint(row: Sequence[Cell]) -> bool:
    """Whether the row only tells how to fill in the others: 必填, 选填."""
    filled = [str(cell) for cell in row if cell not in (None, "")]
    return bool(filled) and all(_HINT.search(cell) for cell in filled)


def unique(row: Sequence[Cell]) -> list[str]:
    """The headings, trimmed; one that comes twice is numbered: ``Email 1``, ``Email 2``."""
    names = [" ".join(str(cell or "").replace("\ufeff", "").split()) for cell in row]
    twice = {name for name in names if name and names.count(name) > 1}
    return [
        f"{name} {names[: at + 1].count(name)}" if name in twice else name
        for at, name in enumerate(names)
    ]
