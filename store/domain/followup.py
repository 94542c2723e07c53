"""
What a rep logs in one line: how, with what outcome, about how much, what next.

电话 聊了报价 12万 他们在和竞品比 #关注价格 下周三下午3点再约
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, tzinfo
from typing import Any, Self

from store.domain.asking import asked_for, to_ask
from store.domain.money import Doubt
from store.domain.numerals import normalise
from store.domain.times import Found, find_times

METHODS = {
    "拜访": (
        "拜访|上门|面谈|见面|登门|到访|现场"
        r"|(?<![a-z])(?:(?<!will )(?<!to )(?:visit(?:ed)?|met|on-?site))(?![a-z])"
    ),
    "视频": (
        "视频|腾讯会议|线上会议|网络会议|远程演示"
        r"|(?<![a-z])(?:video(?: call(?:ed)?)?|zoom)(?![a-z])"
    ),
    "邮件": (
        "邮件|发邮|email|邮箱"
        r"|(?<![a-z])(?:e-?mail(?:ed|s)?)(?![a-z])"
    ),
    "短信": (
        "短信"
        r"|(?<![a-z])(?:sms|texted)(?![a-z])"
    ),
    "微信": (
        "微信|企微|朋友圈|加了?v|vx"
        r"|(?<![a-z])(?:we-?chat(?:ted)?)(?![a-z])"
    ),
    "钉钉": (
        "钉钉"
        r"|(?<![a-z])(?:dingtalk)(?![a-z])"
    ),
    "电话": (
        "电话|致电|去电|来电|回电|打给|通话|打了|拨打|座机|语音"
        r"|(?<![a-z])(?:(?<!will )(?<!to )(?:call(?:ed|s)?|phoned?|rang))(?![a-z])"
    ),
}
OUTCOMES = {
    "空号": (
        "空号|停机|号码不对|打错|号码错误|不是本人"
        r"|(?<![a-z])(?:wrong number|bad number|invalid number)(?![a-z])"
    ),
    "未接通": (
        "没接|未接|不接|没人接|无人接|没打通|打不通|没通|未打通|未通|占线|关机|忙线|没回|未回|挂断|挂了"
        "|联系不上|没联系上|没接通|未接通|没反应"
        r"|(?<![a-z])(?:no answer|not answered|no reply|no response|unreachable|busy|voicemail|hung up"
        r"|(?:did not|didn't) (?:answer|pick up|reply)|not reached)(?![a-z])"
    ),
    "拒绝": (
        "拒绝|不需要|没兴趣|没有兴趣|不感兴趣|没意向|没有意向|无意向|不考虑|不用了|别再联系|不要再"
        "|没需求|没有需求|无需求|不买|已经买了|已选别家|不做了"
        r"|(?<![a-z])(?:not interested|no interest|no need|(?:declined|refused|rejected))(?![a-z])"
    ),
    "有意向": (
        "有意向|意向(?:很|挺|比较|蛮|非常)?(?:强|高|大|明确)|感兴趣|有兴趣|想试|想买|想要|想了解|要方案|要报价|愿意|准备采购|有需求"
        "|同意|认可|可以谈|想签|准备签|(?:就选|决定选|选定)(?=我们|咱们|你们)"
        r"|(?<![a-z])(?:interested|wants? (?:a |the )?(?:quote|demo|trial|offer)|agreed)(?![a-z])"
    ),
    "接通": (
        "接通|打通|通了|聊了|聊过|聊到|谈了|谈到|沟通了|沟通过|说了|见了|见到|回复了|回了|已回"
        r"|(?<![a-z])(?:talked|spoke|answered|reached|discussed|connected)(?![a-z])"
    ),
}
OBJECTIONS = {
    "预算": "没预算|没有预算|预算没有|无预算|预算不够|预算不足|预算有限|超预算|超出预算|没钱",
    "价格": "太贵|嫌贵|偏贵|有点贵|贵了|很贵|价格高|价格太高|价格贵|便宜点|便宜些|降价|打折|折扣|砍价|还价",
    "竞品": "竞品|竞争对手|同行|别家|别人家|其他家|其他供应商|货比|对比|友商|几家在比|和.{1,8}比价",
    "决策": "请示|要审批|走审批|要汇报|老板(?:没|不)|领导(?:没|不)|和老板商量|和领导商量|上会|做不了主|没有?决定权|内部(?:讨论|商量)",
    "时机": "没时间|不着急|不急|以后再说|再说吧|过段时间|暂时不|暂不|明年再|年后再|再等等|再看看",
    "产品": "功能不|不支持|不满足|缺少?功能|不好用|不适合|不合适",
    "已有": "已经?有了|用着别的|已经?在用|刚买",
}
# 没拒绝 and 不是没兴趣 say the opposite, 有没有兴趣 says nothing.
DENIED = re.compile(
    r"(?:没有?|不是|并非|未|不|别|没有?说)(?:明确|直接|当场|完全|说|表示|很|太|特别|那么|怎么|再)?$|不考虑$|不看$"
)
OF_OTHERS = re.compile(r"了?(?:别家|别的|别人|其他|其它|竞品|对手|同行|友商)")
MISSED = frozenset({"未接通", "空号"})
"""Outcomes of a try that found nobody."""
PAIN = re.compile(
    r"[^，。；！？,;!?\s]*(?:痛点|头疼|头痛|困扰|抱怨|吐槽|烦恼|发愁|愁的|苦于|难题|瓶颈|效率(?:太|很|偏)?低"
    r"|(?:太|很|比较)(?:慢|乱|麻烦|费时|费力|繁琐)|容易(?:出错|漏|丢)|出错率|老是?(?:出错|漏|丢)|经常(?:出错|漏|丢|加班)"
    r"|忙不过来|管不过来|跟不上|对不上账?|靠(?:人工|手工|excel)|重复(?:劳动|录入)|成本(?:太|很|偏)?高|人手不(?:够|足)|漏跟|丢单|缺人"
    r"|(?<![a-z])(?:pain(?:s| point)?|too slow|struggl\w+|error-prone|manual work)(?![a-z]))"
    r"[^，。；！？,;!?\s]*",
    re.IGNORECASE,
)
PAIN_MARK = re.compile(
    r"^(?:客户|他们|对方)?的?(?:主要|最大的?)?(?:痛点|难题|烦恼)(?:是|在于|有)?[:：]?\s*(?=.)"
)
STEP_MARK = re.compile(
    r"(?:下一步|下步|接下来|后续|计划|next step)\s*(?:是|[:：])?\s*(?P<step>[^，。；！？,;!?]{2,40})"
)
NOT_OUTSIDE = re.compile(
    r"内部|同事|主管|(?:咱|我)们?(?:老板|领导|技术|产品|财务|法务)|备注|报备|(?:写|做|整理|准备)(?:了|好|完)?(?:方案|报价|资料|标书|合同)"
    r"|(?<![a-z])(?:internal|note to self)(?![a-z])"
)
TAG = re.compile(r"[#＃]([^\W\d][\w-]*|\d+[^\W\d_][\w-]*)")
PHONE = re.compile(
    r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}(?!\d)|(?<!\d)0\d{2,3}-?\d{7,8}(?!\d)"
)
# 电话 13812345678 tells how to reach somebody, which is not yet how it was done.
LABEL = re.compile(
    r"(?P<whose>(?:新|备用|联系|另一个|[他她]|客户|对方)的?)?(?<![打通回去来拨])"
    r"(?:电话|手机|座机|固话|tel|phone|微信|企微|vx|邮箱|邮件|e-?mail)"
    r"(?P<named>(?:地址|号码?|是|为|[:：]|\s)*)"
    rf"(?={PHONE.pattern}|[\w.+-]+@[\w-]+\.|[a-z](?=[a-z_-]*\d)[a-z\d_-]{{5,19}}(?![\w-]))",
    re.IGNORECASE,
)
STOP = re.compile(r"[，。；！？,;!?\s]")
CLAUSE = re.compile(r"[，。；！？,;!?]|(?<=[^\x00-\x7f])\s")
UNTIL = re.compile(r"^\s*(?:[之以]?前|[之以]内)(?!台|端)")
NEXT_BEHIND = re.compile(
    r"\s*[前后之]?\s*(?:左右)?(?:[^，。；,;\n]{0,3}?)(?:再|约|回访|联系|跟进|拜访|上门|回复|复聊|见(?!过|了)|打电话|致电|提醒|演示|发)"
)
NEXT_BEFORE = re.compile(
    r"(?:再约|约了?|约好|约在|约到|定在|改到|改约|改成|推到|等到|到|下次(?:联系|回访|跟进)?|回访|提醒我?|跟进)[:：]?\s*$"
)
CHANGED = re.compile(r"(?:改到|改约|改成|推到|推迟到|延到|提前到)[:：]?\s*$")
REPLACED = re.compile(r"(?:原来|本来|之前|原定|原本|上次)[^，。；,;]{0,4}$")
TASK = re.compile(r"\s*[前后]?\s*(?:要|会|先|再|我|给他|给客户|把)*(?:发|寄|出|给|准备|做|提交)")
WIDE = re.compile(r"今年|本年|这一年|明年|后年|\d{4}年|本月|这个?月|本季度|这个?季度|[上下]半年")
# 周五约了演示 is a plan although 了 says it is done; 下周 and 明天 are never told of.
TOLD = re.compile(
    r"(?![^，。；,;\s]{0,4}?(?:约|定)[了好])[^，。；,;\s]{0,8}?(?<![除忘])[了过](?!解|再|来|去|几|[一两\d]?天)"
)
# Met on Monday tells of a Monday that was; called, Monday 3pm plans the next.
TOLD_BEFORE = re.compile(
    r"(?<![a-z])(?:called|phoned|met|visited|e-?mailed|texted|spoke|talked|sent|saw|since)"
    r"(?: (?!will|to|again|agreed|until|by)[a-z]+){0,2}\s*$"
)
NOT_THEN = re.compile(r"(?:不要|别|除了?|避开|不想|不能)(?:在|约|是)?\s*$")
NOT_GOOD = re.compile(
    r"\s*(?:[之以]?[前后内])?\s*(?:[之以]外|除外|都?(?:不行|不方便|没空|没时间|不在|不上班)|别(?!忘)|不要|勿|取消"
    r"|都?(?:休息|放假)|[都要在得]+(?:出差|开会))"
)
FORWARD = re.compile(
    r"(?:.* )?(?:next|tomorrow|in |the day|day after)|下(?!午)|明|后|大后|过|再|未来|.*后$"
)
FILLER = re.compile(
    r"已经?|客户|对方|联系人?|跟进|沟通|拜访|一下|一次|正常|继续|了解|情况|完成|再次|待|还|再|约|打|发|聊|谈|说"
    r"|了|过|的|我|他|她|在|和|就|都|也|很|好|嗯|ok|done|test|again|customer|client|(?<![a-z])(?:the|and|with|a|he|she|they|him|her|on|at|to|by)(?![a-z])|测试|无|暂无|第?[一二三四五\d]+次|[\W_]"
)
ENOUGH = 3  # characters that tell something beyond method, outcome and date


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One logged contact. ``method``, ``outcome``, ``objection`` and ``step`` may be empty.

    ``amount`` is whole yuan; ``next_at`` aware UTC. ``effective``: it says more than
    that somebody was called. ``question`` is what to ask back about the next date.
    ``pains``: what troubles the customer, in the writer's words. ``step``: what is to
    be done next. ``attempt``: somebody tried to reach the customer, it is no mere note.
    """

    text: str
    method: str
    outcome: str
    amount: int | None
    tags: tuple[str, ...]
    objection: str
    next_at: datetime | None
    next_date_only: bool
    effective: bool
    question: str = ""
    pains: tuple[str, ...] = ()
    step: str = ""
    attempt: bool = True

    @property
    def missed(self) -> bool:
        """A try that found nobody."""
        return self.attempt and self.outcome in MISSED

    @property
    def reached(self) -> bool:
        return self.attempt and not self.missed

    def as_data(self) -> dict[str, Any]:
        """As an event keeps it; the sentence itself is the event's text."""
        kept = asdict(self)
        del kept["text"], kept["question"]
        kept["next_at"] = self.next_at.isoformat() if self.next_at else None
        return kept | {"tags": list(self.tags), "pains": list(self.pains)}

    @classmethod
    def of(cls, text: str, data: Mapping[str, Any]) -> Self:
        """What an event kept; older events know less."""
        names = {field.name for field in fields(cls)} - {"text", "question"}
        values = {name: value for name, value in data.items() if name in names}
        missing: dict[str, Any] = {
            "next_date_only": False,
            "method": "",
            "outcome": "",
            "amount": None,
        }
        missing |= {"objection": "", "effective": False, "tags": ()}
        values = missing | values
        at = values.get("next_at")
        values["next_at"] = datetime.fromisoformat(at) if at else None
        values["tags"], values["pains"] = tuple(values["tags"]), tuple(values.get("pains", ()))
        return cls(text=text, **values)


def read_follow_up(text: str, now: datetime, zone: tzinfo) -> FollowUp:
    """Read a rep's sentence; never fails, what was not understood stays in ``text``.

    Raises ValueError when ``now`` is naive.
    """
    bare = _blank(text, [match.span() for words in (TAG, PHONE) for match in words.finditer(text)])
    times = list(find_times(bare, now, zone))
    coming = _next(bare, times, _end_of_today(now, zone))
    ahead = coming is not None and coming.at > now  # of today only the question is left
    done = normalise(_without_step(bare, coming))
    plain = _blank(bare, [(one.start, one.end) for one in times])
    amount = asked_for(bare, plain)
    outcome = _first_group(OUTCOMES, done)
    method = _method(text, bare, coming, outcome)
    return FollowUp(
        text=text,
        method=method,
        outcome=outcome,
        amount=amount,
        tags=tuple(dict.fromkeys(TAG.findall(text))),
        objection=_earliest(OBJECTIONS, normalise(text)),
        next_at=coming.at if coming and ahead else None,
        next_date_only=coming is not None and ahead and coming.date_only,
        effective=_tells_something(plain, outcome) or amount is not None,
        question=coming.ambiguous if coming else "",
        pains=_pains(plain),
        step=_step(bare, coming),
        attempt=bool(outcome) or not (NOT_OUTSIDE.search(done) or _only_labels(text, method)),
    )


def _method(text: str, bare: str, coming: Found | None, outcome: str) -> str:
    """How it was done. 电话 13812345678 没接 was a call: nothing else says how, and it had an outcome."""
    labels = list(LABEL.finditer(text))
    told = [one for one in labels if one["whose"] or one["named"].strip()]
    without, but_bare = (
        _earliest(
            METHODS, normalise(_without_step(_blank(bare, [o.span() for o in those]), coming))
        )
        for those in (labels, told)
    )
    return without or (but_bare if outcome else "")


def _only_labels(text: str, method: str) -> bool:
    """Whether a way to reach somebody is written down, and nothing that was done."""
    return not method and LABEL.search(text) is not None


def amount_to_ask(log: FollowUp, now: datetime, zone: tzinfo) -> Doubt | None:
    """Money in the sentence that nobody can book as it is said."""
    bare, plain = _without_names(log.text, now, zone)
    return to_ask(bare, plain) if log.amount is None else None


def _without_names(text: str, now: datetime, zone: tzinfo) -> tuple[str, str]:
    """The sentence without tags and numbers to call, and that without its times."""
    bare = _blank(text, [match.span() for words in (TAG, PHONE) for match in words.finditer(text)])
    return bare, _blank(bare, [(one.start, one.end) for one in find_times(bare, now, zone)])


def _pains(text: str) -> tuple[str, ...]:
    found = (PAIN_MARK.sub("", match[0]).strip("：:的 ") for match in PAIN.finditer(text))
    return tuple(dict.fromkeys(pain[:40] for pain in found if len(pain) > 1))[:3]


def _step(text: str, coming: Found | None) -> str:
    """What is to be done next: named as such, or the words around the next date."""
    if named := STEP_MARK.search(text):
        rest = _blank(
            named["step"], [] if coming is None else _inside(coming, named.start("step"))
        )
        if said := " ".join(rest.split()):
            return said[:40]
    if coming is None:
        return ""
    behind = UNTIL.sub("", text[coming.end :]).lstrip()
    stop = STOP.search(behind)
    behind = behind[: stop.start()] if stop else behind
    # English words have blanks between them: "follow up" was "up".
    said = re.split(CLAUSE, text[: coming.start].rstrip())[-1].strip()
    before = said if said.isascii() else re.split(STOP, said)[-1]
    return (behind.strip() or before.strip("：:在到 "))[:40]


def _inside(one: Found, start: int) -> list[tuple[int, int]]:
    return [(max(0, one.start - start), max(0, one.end - start))]


def _next(text: str, times: list[Found], tonight: datetime) -> Found | None:
    """The date beside 再, 约, 回访 …; else the last day ahead that is not told as over."""
    text = normalise(text)
    ahead = [one for one in times if not (one.past or _is_ruled_out(text, one))]
    named = [one for one in ahead if _is_step(text, one)]
    named = [one for one in named if not one.vague] or named
    if named:
        return _appointment(text, named)
    others = [one for one in ahead if not (one.recurring or _is_told(text, one))]
    later = [
        one
        for one in others
        if not (one.date_only and one.at < tonight and "还是" not in one.ambiguous)
    ]
    narrow = [one for one in later if not WIDE.fullmatch(normalise(text[one.start : one.end]))]
    return next(reversed(narrow), None)


def _appointment(text: str, named: list[Found]) -> Found:
    """What it was changed to; else the first talk with a time of day, not what is to be sent."""
    changed = [one for one in named if CHANGED.search(text, 0, one.start)]
    if changed:
        return changed[-1]
    standing = [one for one in named if not REPLACED.search(text, 0, one.start)]
    talks = [one for one in standing if not TASK.match(text, one.end)]
    to_the_minute = [one for one in talks if not one.date_only]
    return next(iter(to_the_minute), (talks or standing or named)[-1])


def _end_of_today(now: datetime, zone: tzinfo) -> datetime:
    return now.astimezone(zone).replace(hour=23, minute=59, second=59)


def _is_step(text: str, one: Found) -> bool:
    if _is_told(text, one):
        return False
    before = NEXT_BEFORE.search(text, max(0, one.start - 8), one.start)
    return before is not None or NEXT_BEHIND.match(text, one.end) is not None


def _is_ruled_out(text: str, one: Found) -> bool:
    """不要周三打, 周三不方便: the one day that is not meant."""
    if one.ambiguous.startswith("是"):
        return False
    before = NOT_THEN.search(text, max(0, one.start - 6), one.start)
    return before is not None or NOT_GOOD.match(text, one.end) is not None


def _is_told(text: str, one: Found) -> bool:
    """下午3点拜访了 tells what happened, whenever the next 15:00 may be."""
    plain = normalise(text)
    if not one.vague and FORWARD.match(plain, one.start, one.end):
        return False
    before = TOLD_BEFORE.search(plain, max(0, one.start - 40), one.start)
    return before is not None or TOLD.match(text, one.end) is not None


def _without_step(text: str, coming: Found | None) -> str:
    """The sentence without what is planned, so that 下周微信发方案 is no contact by WeChat."""
    if coming is None:
        return text
    end = coming.end + len(text[coming.end :]) - len(text[coming.end :].lstrip())
    stop = STOP.search(text, end)
    return text[: coming.start] + " " + text[stop.start() if stop else len(text) :]


def _blank(text: str, places: list[tuple[int, int]]) -> str:
    for start, end in places:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _earliest(groups: dict[str, str], text: str) -> str:
    """The group whose words come first in the text."""
    places = {
        name: place for name, words in groups.items() if (place := _said(words, text)) is not None
    }
    return min(places, key=places.__getitem__, default="")


def _said(words: str, text: str) -> int | None:
    """Where it is said of this customer, and not denied: 没拒绝, 不考虑别家."""
    matches = re.finditer(words, text)
    return next((match.start() for match in matches if not _denied(match, text)), None)


def _denied(match: re.Match[str], text: str) -> bool:
    before = text[max(0, match.start() - 6) : match.start()]
    if match[0].startswith("没") and before.endswith("有"):
        return True
    refused = re.match(r"不|没|拒绝", match[0]) is not None
    return DENIED.search(before) is not None or bool(
        refused and OF_OTHERS.match(text, match.end())
    )


def named(groups: dict[str, str], text: str) -> str:
    """The group that these words mean; empty when none does."""
    return _first_group(groups, text)


def _first_group(groups: dict[str, str], text: str) -> str:
    """The first group that is named at all: 没接通 is not 接通."""
    return next((name for name, words in groups.items() if _said(words, text) is not None), "")


def tells_something(log: FollowUp, now: datetime, zone: tzinfo) -> bool:
    """Whether a log that was corrected says more than that somebody was called."""
    _, plain = _without_names(log.text, now, zone)
    return _tells_something(plain, log.outcome) or log.amount is not None


def _tells_something(text: str, outcome: str) -> bool:
    """Whether it says more than method, outcome and date."""
    if outcome in MISSED:
        return False
    plain = normalise(text)
    for words in (*METHODS.values(), *OUTCOMES.values()):
        plain = re.sub(words, " ", plain)
    return len(FILLER.sub("", plain)) >= ENOUGH
