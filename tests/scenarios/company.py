"""
A made-up company for the state machine: its team, its rules, and who may ask it for something.

What follows from the rules is told here a second time, in plain tables: whose a pool is, what
a line is about. Nothing here asks the product.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from store.domain.lead import Lead
from store.domain.team import Member, Role

TEAM = (
    {"name": "李雷", "wecom": "lilei", "capacity": 3, "regions": ["华东"]},
    {"name": "韩梅", "wecom": "hanmei", "capacity": 4},
    {"name": "王强", "dingtalk": "wangqiang", "capacity": 4},
    {"name": "赵敏", "dingtalk": "zhaomin", "capacity": 5, "products": ["CRM"]},
    {"name": "陈主管", "wecom": "chenzg", "role": "manager"},
    {"name": "林主管", "dingtalk": "linzg", "role": "manager"},
    {"name": "周市场", "wecom": "zhousc", "role": "marketing"},
    {"name": "吴管理", "dingtalk": "wugl", "role": "admin"},
)
REPS = ("李雷", "韩梅", "王强", "赵敏")
MANAGERS = ("陈主管", "林主管", "吴管理")
EVERYBODY = tuple(str(person["name"]) for person in TEAM)
CONTACTED = ("lilei", "hanmei", "chenzg")
"""Whom customers add in WeCom."""
DAILY_CLAIMS = 3
MINUTES_FRESH = 20
EXEMPT = "签约中"
STAGES = ("following", "方案确认", "intent", "quoted", EXEMPT)
CRM, CARE = "CRM", "云客服"
RULES: Mapping[str, Any] = {
    "pool": {
        "daily_claims": DAILY_CLAIMS,
        "embargo": f"{MINUTES_FRESH}m",
        "scope": [
            {
                "name": "西南公海",
                "when": {"region": ["西南"]},
                "members": ["李雷", "王强"],
                "admins": ["林主管"],
            },
            {"name": "展会公海", "when": {"source": ["booth"]}, "members": ["韩梅", "赵敏"]},
            {"name": "CRM 公海", "when": {"product": [CRM]}, "admins": ["赵敏"]},
        ],
    },
    "routing": [
        {"name": "西南抢单", "when": {"region": ["西南"]}, "assign": "grab"},
        {"name": "展会", "when": {"source": ["booth"]}, "assign": "manager"},
        {"name": "CRM", "when": {"product": [CRM]}, "assign": "least_load"},
    ],
    "stage": [{"name": name, "exempt": name == EXEMPT} for name in STAGES],
    "line": [
        {"name": CRM, "products": [CRM]},
        {"name": CARE, "products": [CARE, "呼叫中心"], "keywords": ["坐席"]},
    ],
    "sop": [
        {"stage": "intent", "every": "3d", "questions": [{"id": "budget", "label": "预算"}]},
    ],
    "field": [{"name": "预算", "type": "text", "card": True, "hidden": True}],
    "journey": [
        {
            "name": "唤醒",
            "reasons": [],
            "steps": [
                {"after": "1d", "channel": "email", "template": "brand"},
                {"after": "3d", "channel": "wecom", "template": "case"},
            ],
        }
    ],
    "mail": {"from": "hello@example.com"},
    "wecom": {
        "corp_id": "ww1234567890abcdef",
        "agent_id": 1000002,
        "secret": "not-a-real-secret",
        "token": "token",
        "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        "welcome": "你好，我是{rep}",
    },
}


# -- pools -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pool:
    """``claim``: who takes from it. ``give``: who distributes it; nobody named is every manager."""

    name: str
    claim: frozenset[str]
    give: frozenset[str]


POOLS = {
    pool.name: pool
    for pool in (
        Pool("", frozenset({*REPS, "吴管理"}), frozenset()),
        Pool("西南公海", frozenset({"李雷", "王强"}), frozenset({"林主管"})),
        Pool("展会公海", frozenset({"韩梅", "赵敏"}), frozenset()),
        Pool("CRM 公海", frozenset({"李雷", "韩梅", "王强", "吴管理"}), frozenset({"赵敏"})),
    )
}


def pool_of(lead: Lead, team: Iterable[Member]) -> Pool:
    """Where it lies when nobody has it; whoever has left gives nothing of it away."""
    pool = _pool_of(lead)
    there = {m.name for m in team if m.active}
    return replace(pool, give=pool.give & there)


def _pool_of(lead: Lead) -> Pool:
    if lead.region.startswith(("四川", "重庆", "贵州", "云南", "西藏")):
        return POOLS["西南公海"]
    if lead.source == "booth":
        return POOLS["展会公海"]
    return POOLS["CRM 公海" if CRM in lead.product.upper() else ""]


def may_give(by: Member, pool: Pool) -> bool:
    """Whether ``by`` gives what lies there to somebody."""
    return by.name in pool.give or by.role == Role.ADMIN or (by.manages and not pool.give)


def asked(pool: Pool, team: Iterable[Member]) -> set[int]:
    """Who has to know of what nobody suits: its own admins, if there are any of them."""
    there = [m for m in team if m.active]
    own = {int(m.id) for m in there if m.name in pool.give}
    managers = {int(m.id) for m in there if m.role == Role.MANAGER}
    return own or managers or {int(m.id) for m in there if m.role == Role.ADMIN}


# -- lines -----------------------------------------------------------------------------


def line_of(product: str, message: str) -> str:
    """What an enquiry is about: the product says, else the words."""
    if CRM in product.upper():
        return CRM
    if CARE in product or "呼叫中心" in product:
        return CARE
    words = {message.upper().find(word): line for word, line in WORDS}
    return words[min(there)] if (there := [at for at in words if at >= 0]) else ""


WORDS = ((CRM, CRM), (CARE, CARE), ("呼叫中心", CARE), ("坐席", CARE))


# -- prospects -------------------------------------------------------------------------

NAMES = (
    "王建国", "张伟民", "刘洋洋", "陈晨曦", "", "周敏芝",
    "孙丽华", "何军豪", "欧阳雪", "郑一帆", "冯小满", "蒋文博",
)  # fmt: skip
OTHER_NAMES = (
    "赵大成", "钱多多", "吴双喜", "秦小雨", "许多多", "邓云飞",
    "曹正阳", "彭小虎", "司马光", "苏小禾", "潘金贵", "田家英",
)  # fmt: skip
COMPANIES = ("云帆科技", "启明软件", "恒信物流", "", "天成机械", "")
PEOPLE = len(NAMES)
REGIONS = ("", "上海", "四川", "北京", "江苏苏州")
ANOTHER_LINE = "客服系统要加坐席"
OWN_WORDS = "我是{name}，报价发我，电话{phone}"
LEAVE = "别再联系我了"
WISHES = (
    "想要报价", "什么时候能演示", "", "再问一下价格", ANOTHER_LINE, OWN_WORDS, LEAVE,
)  # fmt: skip
SEEN = ("", "", "", "page", "download")


def phone(pick: int) -> str:
    return f"1990000{pick % PEOPLE:04d}"


def mailbox(pick: int) -> str:
    return f"p{pick % PEOPLE}@example.com"


def contact(pick: int) -> str:
    """The number WeCom gives the person."""
    return f"wmperson{pick % PEOPLE:02d}"


def enquiry(
    *, who: int, wish: str, region: str, way: int, seen: str, rep: str
) -> Mapping[str, Any]:
    """By phone, by mail or both; now and then under another name, or the same form twice."""
    reach = {"phone": phone(who)} if way < 6 else {}
    mail = {"email": mailbox(who)} if way >= 4 or who % 3 == 0 else {}
    name = (OTHER_NAMES if way == 3 else NAMES)[who]
    return {
        **reach,
        **mail,
        "name": name,
        "company": COMPANIES[who % len(COMPANIES)],
        "message": "" if seen else wish.format(name=name or "老客户", phone=phone(who)),
        "region": region,
        "product": _product(who, way),
        "external_id": f"form-{who}" if way == 2 else "",
        "fields": {"event": seen} if seen else {},
        "rep": rep,
        "source": "booth" if way == 1 else "website",
    }


def _product(who: int, way: int) -> str:
    return CARE if way == 7 else CRM if who % 4 == 1 else ""


def details(external_userid: str) -> Mapping[str, Any]:
    """What WeCom says of a contact when it is asked; a number only where somebody noted one."""
    who = int(external_userid[-2:])
    noted = {"remark_mobiles": [phone(who)]} if who % 2 else {}
    return {"name": NAMES[who], "company": COMPANIES[who % len(COMPANIES)], **noted}


def secrets(lead: Lead) -> Sequence[str]:
    """What says who somebody is, or how to reach them."""
    number = lead.phone.removeprefix("+86")
    return [word for word in (lead.name, lead.company, number, lead.email, lead.wechat) if word]
