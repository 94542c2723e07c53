"""A lead and everything that may happen to it. Each rule returns what changed, or refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, NewType

from store.domain.errors import AlreadyOffered, AlreadyTaken, NotAllowed, NotYours, Refused
from store.domain.followup import FollowUp
from store.domain.team import Member, MemberId, Role

LeadId = NewType("LeadId", int)


class Stage(str):
    """How far a lead has come. The ones named here are everybody's; a company's own are their names."""

    __slots__ = ()
    NEW: ClassVar[Stage]
    ASSIGNED: ClassVar[Stage]
    FOLLOWING: ClassVar[Stage]
    INTENT: ClassVar[Stage]
    QUOTED: ClassVar[Stage]
    WON: ClassVar[Stage]
    LOST: ClassVar[Stage]
    INVALID: ClassVar[Stage]
    MERGED: ClassVar[Stage]  # its person turned out to be another lead's

    @property
    def label(self) -> str:
        """As people call it."""
        return STAGES.get(self, str(self))


for _code in (
    "new", "assigned", "following", "intent", "quoted", "won", "lost", "invalid", "merged",
):  # fmt: skip
    setattr(Stage, _code.upper(), Stage(_code))

STAGES: Mapping[Stage, str] = {
    Stage.NEW: "新线索",
    Stage.ASSIGNED: "已分配",
    Stage.FOLLOWING: "跟进中",
    Stage.INTENT: "意向",
    Stage.QUOTED: "已报价",
    Stage.WON: "成交",
    Stage.LOST: "流失",
    Stage.INVALID: "无效",
    Stage.MERGED: "已并入",
}
CLOSED = frozenset({Stage.WON, Stage.LOST, Stage.INVALID, Stage.MERGED})
WORKING = (Stage.FOLLOWING, Stage.INTENT, Stage.QUOTED)
"""The stages of the work where [[stage]] names no others."""


class Place(StrEnum):
    OWNER = "owner"
    POOL = "pool"
    MARKETING = "marketing"


class Due(StrEnum):
    """What the clock does to a lead next."""

    NONE = ""
    ACCEPT = "accept"  # the offer moves on to the next rep
    NUDGE = "nudge"  # half of the time for the first call is over
    LATE = "late"  # nobody has called in time: the managers
    WARN = "warn"  # the owner is told before it is too late
    RECLAIM = "reclaim"  # it goes to the pool
    IDLE = "idle"  # nobody wanted it: marketing
    DISPATCH = "dispatch"  # it has waited for the opening


REASONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    # code: (label, words that mean it)
    "not_ready": (
        "未到时机",
        ("时机", "以后", "明年", "过段时间", "再说", "暂时", "not yet", "not now", "later",
         "next year", "too early", "bad timing"),
    ),
    "no_budget": ("没有预算", ("预算", "没钱", "太贵", "budget", "no money", "too expensive")),
    "bad_number": (
        "空号错号",
        ("空号", "错号", "停机", "打不通", "号码不对", "wrong number", "invalid number",
         "number is wrong", "unreachable"),
    ),
    "no_need": (
        "没有需求",
        ("没需求", "不需要", "没有需求", "无需求", "not interested", "no interest", "not needed",
         "no demand"),
    ),
    "competitor": (
        "选了别家", ("别家", "竞品", "对手", "已经买", "competitors", "already bought", "chose another"),
    ),
    "not_mine": (
        "不归我跟",
        ("不归我", "不是我的", "区域不对", "转给", "not my", "wrong region", "wrong person"),
    ),
    "other": ("其他", ("others",)),
}  # fmt: skip


def reason_code(words: str) -> str:
    """The code of a reason pressed or written in words; ``other`` when none fits."""
    folded = re.sub(r"[\s_-]+", " ", words.strip().casefold())
    for code, (label, hints) in REASONS.items():
        named = code.replace("_", " ")
        if any(_says(folded, hint) for hint in (named, label, *hints)):
            return code
    return "other"


def _says(text: str, hint: str) -> bool:
    """An English hint must stand as words of its own: collateral is not later."""
    if not hint.isascii():
        return hint in text
    return re.search(rf"(?<![a-z]){hint}(?![a-z])", text) is not None


class Kind(StrEnum):
    CAPTURED = "captured"
    ASKED_AGAIN = "asked_again"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    LAPSED = "lapsed"
    UNSUITABLE = "unsuitable"
    GRAB = "grab"
    CLAIMED = "claimed"
    FOLLOWED = "followed"
    STAGE = "stage"
    WON = "won"
    LOST = "lost"
    INVALID = "invalid"
    RETURNED = "returned"
    RELEASED = "released"
    TRANSFERRED = "transferred"
    WARNED = "warned"
    NUDGED = "nudged"
    LATE = "late"
    GRACE = "grace"
    RETIMED = "retimed"
    RECLAIMED = "reclaimed"
    LEFT = "left"
    IDLE = "idle"
    REMINDER = "reminder"
    REMINDED = "reminded"
    EXTENDED = "extended"
    MAILED = "mailed"
    CLICKED = "clicked"
    OPTED_OUT = "opted_out"
    ENRICHED = "enriched"
    DOUBLE = "double"
    FRIENDED = "friended"  # a WeCom contact again, or of one more member
    GREETED = "greeted"
    UNGREETED = "ungreeted"
    UNFRIENDED = "unfriended"  # the customer deleted the member
    DROPPED = "dropped"  # the member deleted the customer
    UNREACHABLE = "unreachable"  # no contacts any more, says WeCom, and not who ended it
    HANDOVER_FAILED = "handover_failed"
    SPOKE = "spoke"  # the first words after a 获客 link
    MERGED = "merged"  # one person, two leads: on both
    SPLIT = "split"  # a merge taken apart: on both
    DISTINCT = "distinct"  # looked at: two people
    LINKED = "linked"  # the same person, another business line: on both
    CORRECTED = "corrected"  # a follow-up was misunderstood
    UNDONE = "undone"  # its data names the events that count no more
    ANSWERED = "answered"  # a must-ask question of the stage
    ASSISTED = "assisted"  # an expert was asked for help
    NOTED = "noted"
    COMMENTED = "commented"
    DATED = "dated"  # a birthday or an anniversary became known
    VISITED = "visited"
    DOWNLOADED = "downloaded"
    OPENED = "opened"
    QUALIFIED = "qualified"  # UQL → MQL → SQL
    IMPORTANCE = "importance"  # set by hand, or cleared
    HELD = "held"  # a gate keeps it from being given out


KINDS: Mapping[Kind, str] = {
    Kind.CAPTURED: "进线",
    Kind.ASKED_AGAIN: "再次咨询",
    Kind.ASSIGNED: "分配",
    Kind.ACCEPTED: "接受",
    Kind.DECLINED: "转给下一位",
    Kind.LAPSED: "超时未接",
    Kind.UNSUITABLE: "等主管分配",
    Kind.GRAB: "抢单",
    Kind.CLAIMED: "领取",
    Kind.FOLLOWED: "跟进",
    Kind.STAGE: "阶段",
    Kind.WON: "成交",
    Kind.LOST: "流失",
    Kind.INVALID: "无效",
    Kind.RETURNED: "退回市场",
    Kind.RELEASED: "放回公海",
    Kind.TRANSFERRED: "转交",
    Kind.WARNED: "提醒将回收",
    Kind.NUDGED: "提醒联系",
    Kind.LATE: "超时未联系",
    Kind.GRACE: "主管多给了时间",
    Kind.RETIMED: "时限规则变了",
    Kind.RECLAIMED: "回收到公海",
    Kind.LEFT: "负责人离开，待交接",
    Kind.IDLE: "转市场培育",
    Kind.REMINDER: "设提醒",
    Kind.REMINDED: "提醒",
    Kind.EXTENDED: "延期",
    Kind.MAILED: "培育触达",
    Kind.CLICKED: "点开链接",
    Kind.OPTED_OUT: "要求停止联系",
    Kind.ENRICHED: "补充资料",
    Kind.DOUBLE: "疑似重复",
    Kind.FRIENDED: "加为企业微信好友",
    Kind.GREETED: "欢迎语已发",
    Kind.UNGREETED: "欢迎语没发出",
    Kind.UNFRIENDED: "被客户删除好友",
    Kind.DROPPED: "删除了客户好友",
    Kind.UNREACHABLE: "企业微信里已不是好友",
    Kind.HANDOVER_FAILED: "客户接替没成功",
    Kind.SPOKE: "客户开口了",
    Kind.MERGED: "合并",
    Kind.SPLIT: "分开",
    Kind.DISTINCT: "核对过不是同一位",
    Kind.LINKED: "关联业务线",
    Kind.CORRECTED: "更正跟进",
    Kind.UNDONE: "撤销",
    Kind.ANSWERED: "问到",
    Kind.ASSISTED: "求助",
    Kind.NOTED: "备注",
    Kind.COMMENTED: "点评",
    Kind.DATED: "记下日子",
    Kind.VISITED: "看网页",
    Kind.DOWNLOADED: "下载资料",
    Kind.OPENED: "打开邮件",
    Kind.QUALIFIED: "认定",
    Kind.IMPORTANCE: "重要程度",
    Kind.HELD: "等派单",
}


NAMING = ("name", "company", "wechat", "email")
"""What says who somebody is, and is not seen in a text by its form."""
MOST_NAMES = 50
"""Other names that are kept; nobody is called so many, but a form can be filled in by a machine."""
QUALIFICATIONS = ("UQL", "MQL", "SQL", "won")
QUALIFIED: Mapping[str, str] = {
    "UQL": "未认定（UQL）",
    "MQL": "市场认可（MQL）",
    "SQL": "销售认可（SQL）",
    "won": "成交",
}
NIGHT = "hours"
"""The gate of working time."""
FIELDS = "fields"
"""The gate of what has to be known."""
CONSENT = "consent"
"""The gate of the person's agreement."""
SCORE = "score"
"""The gate of the least score: who waits at it is nurtured."""
GRABBING = "谁先点谁跟"
"""The end of ``why`` while a group may grab it."""
HANDED_OVER = "已离开，待交接"
"""The end of ``why`` while a leaver's lead waits for somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a lead's history. ``by`` None: the clock, or the prospect."""

    kind: Kind
    at: datetime
    by: MemberId | None = None
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Part(NamedTuple):
    """What one rule gave: ``points`` of ``full``, for what was done ``times`` times, last at.

    ``last`` is an ISO instant; "" for what is known of somebody, which never fades.
    """

    rule: str
    points: int
    full: int
    times: int = 0
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    id: LeadId
    name: str
    phone: str
    phone_sure: bool
    email: str
    wechat: str
    external_userid: str
    company: str
    title: str
    region: str
    industry: str
    product: str
    message: str
    keyword: str
    campaign: str
    channel: str
    source: str
    external_id: str
    rep: str
    consent_text: str
    consent_at: datetime | None
    opted_out_at: datetime | None
    utm: Mapping[str, Any]
    fields: Mapping[str, Any]
    stage: Stage
    qualification: str
    score: int
    grade: str
    place: Place
    owner: Member | None
    tries: int
    refused: tuple[int, ...]
    why: str
    reason: str
    amount: int | None
    attempts: int
    captured_at: datetime
    asked_at: datetime
    placed_at: datetime
    accepted_at: datetime | None
    contacted_at: datetime | None
    followed_at: datetime | None
    closed_at: datetime | None
    next_at: datetime | None
    extended: bool
    swept_at: datetime
    due_at: datetime | None
    due: Due
    doubles: tuple[int, ...]
    version: int
    parted_at: datetime | None = None
    """Since when nobody of the team has this WeCom contact any more."""
    rules: int = 0
    """The version of the rules that judged it last."""
    chance: float | None = None
    """The learned probability of being won; it puts leads in order and does nothing else."""
    merged_into: LeadId | None = None
    joined_at: datetime | None = None
    """When the last enquiry or lead was joined to it that can still be taken apart."""
    linked: tuple[int, ...] = ()
    """The same person's leads of other business lines."""
    other_names: tuple[str, ...] = ()
    """What the person, the company or their accounts were called besides: masked like the name."""
    line: str = ""
    channel_class: str = ""
    called_at: datetime | None = None
    """The last contact its owner logged."""
    late_at: datetime | None = None
    """When the managers were told that nobody had called in time."""
    grace_at: datetime | None = None
    """When a manager gave its owner more time for that call: it runs from there."""
    spare_at: datetime | None = None
    """Not reclaimed before: changed rules take nothing without a warning."""
    scope: str = ""
    """The pool it belongs to: a scope of the rules, or the common one."""
    grab: bool = False
    """Whoever presses first has it."""
    experts: Mapping[str, str] = field(default_factory=dict)
    """Who was asked for help: member id → the question. They see the lead until it moves on."""
    importance: str = ""
    """A to D, set by hand; it wins until somebody clears it."""
    points: tuple[Part, ...] = ()
    """Where the score comes from, as of when it was derived."""
    cools_at: datetime | None = None
    """When the score is derived again, because what the person did grows old."""
    hold: str = ""
    """The gate that keeps it from being given out: hours, fields, score or consent."""

    @property
    def open(self) -> bool:
        return self.stage not in CLOSED

    @property
    def offered(self) -> bool:
        """Given to somebody who has not said yes."""
        return self.owner is not None and self.accepted_at is None and self.open

    @property
    def waits(self) -> bool:
        """Its owner has yet to call: for the first time, or since the person asked again."""
        mine = self.owner is not None and self.accepted_at is not None and self.open
        mine = mine and not self.left_alone
        return mine and (self.called_at is None or self.called_at < self.asked_at)

    @property
    def left_alone(self) -> bool:
        """The person wants no more contact, and has not asked again since."""
        return self.opted_out_at is not None and self.opted_out_at >= self.asked_at

    @property
    def back_at(self) -> datetime | None:
        """When the person asked again after having wanted to be left alone."""
        return self.asked_at if self.opted_out_at and not self.left_alone else None

    def owned_by(self, by: Member) -> bool:
        return self.owner is not None and self.owner.id == by.id

    # -- who gets it ---------------------------------------------------------

    def assign(self, to: Member, at: datetime, *, why: str, by: Member | None = None) -> Change:
        """Offer the lead to ``to``, who has yet to accept."""
        return Change(
            replace(
                self._placed(to, at),
                accepted_at=None,
                tries=1 if by else self.tries + 1,
                why=why,
                stage=Stage.ASSIGNED if self.stage == Stage.NEW else self.stage,
            ),
            Event(
                kind=Kind.ASSIGNED,
                by=by.id if by else None,
                at=at,
                text=f"{to.name}（{why}）",
                data={"to": to.id},
            ),
        )

    def accept(self, by: Member, at: datetime) -> Change:
        if not self.owned_by(by):
            raise self._not_yours()
        if self.accepted_at is not None:
            raise Refused(f"#{self.id} 已经是你的了，联系完发「跟进 {self.id} 聊了什么」")
        return Change(
            replace(self, accepted_at=at, swept_at=at), Event(kind=Kind.ACCEPTED, by=by.id, at=at)
        )

    def claim(self, by: Member, at: datetime) -> Change:
        """Take it from the pool, or say yes to an offer: first come, exactly one winner."""
        if self.owned_by(by):
            return self.accept(by, at)
        if self.offered and self.owner is not None:
            raise AlreadyOffered(self.id, self.owner.name)
        if self.owner is not None:
            raise AlreadyTaken(self.id, self.owner.name)
        if self.hold == NIGHT and self.open:
            raise Refused(f"#{self.id} {self.why}，到时自动分配")
        if not self.open:
            raise Refused(f"{self._ended()}，不用再跟")
        if self.place != Place.POOL:
            raise Refused(f"#{self.id} 在市场培育中，需要跟进请主管分配")
        if self.left_alone:
            raise Refused(f"#{self.id} 客户要求不再联系，不用再跟")
        return Change(
            replace(
                self._placed(by, at),
                accepted_at=at,
                why="抢到的" if self.grab else "公海领取",
                stage=Stage.ASSIGNED if self.stage == Stage.NEW else self.stage,
            ),
            Event(kind=Kind.CLAIMED, by=by.id, at=at),
        )

    def pass_on(self, by: Member | None, at: datetime) -> Change:
        """The offer is declined (``by``) or has lapsed; the next rep is somebody else's rule."""
        if self.owner is None:
            raise NotYours(self.id)
        return Change(
            replace(
                self._placed(None, at),
                place=Place.POOL,
                refused=(*self.refused, int(self.owner.id)),
            ),
            Event(
                kind=Kind.DECLINED if by else Kind.LAPSED,
                by=by.id if by else None,
                at=at,
                text=self.owner.name,
                # An offer that is turned down was never theirs.
                data={"from": self.owner.id} if self.accepted_at else {},
            ),
        )

    def unsuitable(self, at: datetime, why: str) -> Change:
        """Nobody can be given it: it lies in the pool and the managers are asked."""
        return Change(
            replace(self._placed(None, at), place=Place.POOL, why=why),
            Event(kind=Kind.UNSUITABLE, at=at, text=why),
        )

    def transfer(self, by: Member, to: Member, at: datetime, *, waiting: bool = False) -> Change:
        """Hand over with stage, follow-ups and reminders; a manager may move anybody's.

        What nobody has is given by who gives its pool away; ``waiting``: or lies there
        because its owner left.
        """
        if not self.owned_by(by) and not by.manages:
            raise self._not_yours()
        if self.owned_by(to):
            raise Refused(f"#{self.id} 本来就在 {to.name} 名下")
        self._must_be_open()
        if not waiting:
            self._must_be_owned()
        spare = self._spared(at)
        moved = replace(
            self._placed(to, at),
            accepted_at=at,
            contacted_at=self.contacted_at,
            followed_at=self.followed_at,
            spare_at=spare,
            extended=self.extended,
            experts={n: ask for n, ask in self.experts.items() if n != str(to.id)},
            why=f"{by.name} {'接手' if by.id == to.id else '转交'}",
            stage=Stage.ASSIGNED if self.stage == Stage.NEW else self.stage,
        )
        data: dict[str, Any] = {"to": to.id, "from": self.owner.id if self.owner else None}
        data |= {"spare": spare.isoformat()} if spare and spare != self.spare_at else {}
        event = Event(kind=Kind.TRANSFERRED, by=by.id, at=at, text=f"给 {to.name}", data=data)
        return Change(moved, event)

    def _spared(self, at: datetime) -> datetime | None:
        """Not reclaimed before, when given on ``at``: the owner's leave was kept for it."""
        spans = self.owner.away if self.owner else ()
        gone = (min(end, at) - max(start, self.placed_at) for start, end in spans)
        kept = sum((span for span in gone if span > timedelta(0)), timedelta(0))
        return max(self.spare_at or at, at + kept) if kept else self.spare_at

    def wait(self, gate: str, why: str, at: datetime) -> Change:
        """A gate keeps it: the night's leads lie in the pool until the opening, others at marketing."""
        place = Place.POOL if gate == NIGHT else Place.MARKETING
        held = replace(self._placed(None, at), place=place, hold=gate, why=why)
        data = {"gate": gate, "from": self.hold}
        return Change(held, Event(kind=Kind.HELD, at=at, text=why, data=data))

    # -- what it is worth ----------------------------------------------------

    def qualify(self, to: str, at: datetime, why: str, *, by: Member | None = None) -> Change:
        """UQL → MQL → SQL, by somebody or by the score. Raises Refused when it is that already."""
        if QUALIFICATIONS.index(to) <= QUALIFICATIONS.index(self.qualification):
            raise Refused(f"#{self.id} 已经是 {QUALIFIED[self.qualification]}")
        event = Event(
            kind=Kind.QUALIFIED,
            by=by.id if by else None,
            at=at,
            text=f"{self.qualification} → {to}：{why}",
            data={"qualification": [self.qualification, to], "score": self.score},
        )
        return Change(replace(self, qualification=to), event)

    def weigh(self, by: Member, importance: str, at: datetime, label: str) -> Change:
        """How important it is, by hand; "" leaves it to the rules again. The score follows."""
        self._must_be_open()
        if importance == self.importance:
            raise Refused(f"#{self.id} 已经是这样")
        data = {"importance": importance}
        event = Event(kind=Kind.IMPORTANCE, by=by.id, at=at, text=label, data=data)
        return Change(replace(self, importance=importance), event)

    # -- work ----------------------------------------------------------------

    def follow(self, by: Member, log: FollowUp, at: datetime) -> Change:
        self.check_mine(by)
        reached = replace(
            self,
            accepted_at=self.accepted_at or at,
            contacted_at=self.contacted_at or at,
            called_at=at,
            followed_at=at if log.effective else self.followed_at,
            late_at=None,
            grace_at=None,
            attempts=self.attempts + log.attempt,
            amount=log.amount if log.amount is not None else self.amount,
            next_at=log.next_at or (None if _past(self.next_at, at) else self.next_at),
            stage=Stage.FOLLOWING if self.stage in {Stage.NEW, Stage.ASSIGNED} else self.stage,
            swept_at=at,
        )
        was = {
            "amount": self.amount,
            "followed_at": self.followed_at.isoformat() if self.followed_at else None,
            "next_at": self.next_at.isoformat() if self.next_at else None,
        }
        data = log.as_data() | {"was": was}
        return Change(
            reached, Event(kind=Kind.FOLLOWED, by=by.id, at=at, text=log.text, data=data)
        )

    def correct(self, by: Member, mended: Mended, at: datetime) -> Change:
        """The last follow-up was misunderstood: what it did to the lead follows the correction."""
        self.check_mine(by)
        old, new, was = mended.old, mended.new, mended.was
        before = _instant(was.get("followed_at"))
        changed = replace(
            self,
            attempts=self.attempts + new.attempt - old.attempt,
            followed_at=mended.at if new.effective else before,
            amount=new.amount if new.amount is not None else was.get("amount"),
            next_at=new.next_at,
        )
        if new.amount == old.amount:
            changed = replace(changed, amount=self.amount)
        if new.next_at == old.next_at:
            changed = replace(changed, next_at=self.next_at)
        data = new.as_data() | {"of": mended.event}
        event = Event(kind=Kind.CORRECTED, by=by.id, at=at, text=mended.what, data=data)
        return Change(changed, event)

    def answer(self, by: Member, at: datetime, key: str, label: str, words: str) -> Change:
        """What the customer said to a question that has to be asked."""
        self.check_mine(by)
        data = {"question": key, "answer": words}
        event = Event(kind=Kind.ANSWERED, by=by.id, at=at, text=f"{label}：{words}", data=data)
        return Change(replace(self, fields={**self.fields, key: words}), event)

    def assist(self, by: Member, expert: Member, question: str, at: datetime) -> Change:
        """Bring somebody in, who sees the lead and does not own it."""
        if not self.owned_by(by) and not by.manages:
            raise self._not_yours()
        self._must_be_open()
        self._must_be_owned()
        if self.owned_by(expert):
            raise Refused(f"#{self.id} 就在 {expert.name} 名下")
        event = Event(
            kind=Kind.ASSISTED, by=by.id, at=at, text=f"{expert.name}：{question}",
            data={"to": expert.id},
        )  # fmt: skip
        return Change(
            replace(self, experts={**self.experts, str(expert.id): question[:200]}), event
        )

    def move(
        self, by: Member, stage: Stage, at: datetime, stages: Sequence[Stage] = WORKING
    ) -> Change:
        """To one of ``stages``."""
        self.check_mine(by)
        if stage not in stages:
            raise Refused(f"阶段可以是{'、'.join(s.label for s in stages)}")
        if stage == self.stage:
            raise Refused(f"#{self.id} 已经在「{stage.label}」")
        was, now = self.stage.label, stage.label
        moved = replace(
            self,
            stage=stage,
            accepted_at=self.accepted_at or at,
            contacted_at=self.contacted_at or at,
            called_at=at,
            late_at=None,
            grace_at=None,
            qualification=higher_of("SQL", self.qualification)
            if stage != Stage.FOLLOWING
            else self.qualification,
            swept_at=at,
        )
        higher = moved.qualification != self.qualification
        data = {"qualification": [self.qualification, moved.qualification]} if higher else {}
        return Change(
            moved, Event(kind=Kind.STAGE, by=by.id, at=at, text=f"{was} → {now}", data=data)
        )

    def close(
        self, by: Member, stage: Stage, at: datetime, *, text: str = "", amount: int | None = None
    ) -> Change:
        """Won, lost or invalid: nothing is due any more."""
        self.check_mine(by)
        closed = replace(
            self,
            stage=stage,
            closed_at=at,
            accepted_at=self.accepted_at or at,
            amount=amount if amount is not None else self.amount,
            reason=text[:32] if stage != Stage.WON else "",
            next_at=None,
            experts={},
            qualification="won" if stage == Stage.WON else self.qualification,
        )
        kind = {Stage.WON: Kind.WON, Stage.LOST: Kind.LOST, Stage.INVALID: Kind.INVALID}[stage]
        return Change(
            closed, Event(kind=kind, by=by.id, at=at, text=text, data={"amount": amount})
        )

    def give_back(self, by: Member, reason: str, text: str, at: datetime) -> Change:
        """Back to marketing, which will nurture it."""
        self.check_mine(by)
        returned = replace(
            self._placed(None, at), place=Place.MARKETING, reason=reason, next_at=None
        )
        data = {"reason": reason}
        return Change(returned, Event(kind=Kind.RETURNED, by=by.id, at=at, text=text, data=data))

    def release(self, by: Member, at: datetime, verb: str = "放回") -> Change:
        """To the pool, with its history. ``verb``: how the owner called it."""
        self.check_mine(by)
        released = replace(
            self._placed(None, at), place=Place.POOL, next_at=None, why=f"{by.name} {verb}"
        )
        text = "" if verb == "放回" else verb
        return Change(released, Event(kind=Kind.RELEASED, by=by.id, at=at, text=text))

    def extend(self, by: Member, at: datetime, span: timedelta) -> Change:
        """Reclaimed ``span`` later, once."""
        self.check_mine(by)
        if self.offered:
            raise Refused(f"#{self.id} 还没接受，先发「领取 {self.id}」")
        if self.extended:
            raise Refused(f"#{self.id} 已经延期过一次，跟进一次也能留住它")
        event = Event(kind=Kind.EXTENDED, by=by.id, at=at, text=spelled(span))
        return Change(replace(self, extended=True), event)

    def grace(self, by: Member, at: datetime) -> Change:
        """A manager gives the owner more time for the call, beginning at ``at``."""
        if self.owner is None:
            raise self._not_yours()
        if not self.waits:
            raise Refused(f"#{self.id} 不用再等，{self._why_not_waiting(self.owner.name)}")
        return Change(
            replace(self, grace_at=at, late_at=None), Event(kind=Kind.GRACE, by=by.id, at=at)
        )

    def _why_not_waiting(self, owner: str) -> str:
        if not self.open:
            return "已经结束了"
        if self.left_alone:
            return "客户要求不再联系"
        return f"{owner} 还没接，不接会转给下一位" if self.offered else f"{owner} 已经联系了"

    def check_fills(self, by: Member) -> None:
        """Raises Refused unless ``by`` may fill in what is known.

        The owner may, who manages, and marketing where the lead lies with them or waits.
        """
        lies = self.owner is None and (self.place == Place.MARKETING or bool(self.hold))
        if not by.manages and not (lies and by.role == Role.MARKETING):
            self.check_mine(by)

    def fill(self, by: Member, name: str, column: str, value: object, at: datetime) -> Change:
        """``value`` for the field ``name``: one of the lead's own ``column``, or of the company's."""
        self.check_fills(by)
        was = getattr(self, column) if column else self.fields.get(name, "")
        own: dict[str, Any] = {"fields": {**self.fields, name: value}}
        filled = replace(self, **({column: str(value)} if column else own))
        if column in NAMING:
            filled = naming(filled, [str(was)])
        data = {"field": name, "from": was}
        return Change(
            filled,
            Event(kind=Kind.ENRICHED, by=by.id, at=at, text=f"{name}：{value}", data=data),
        )

    # -- the clock -----------------------------------------------------------

    def warn(self, at: datetime) -> Change:
        return Change(replace(self, swept_at=at), Event(kind=Kind.WARNED, at=at))

    def nudge(self, at: datetime) -> Change:
        return Change(replace(self, swept_at=at), Event(kind=Kind.NUDGED, at=at))

    def late(self, at: datetime) -> Change:
        """Nobody has called in time; the managers decide."""
        whose = self.owner.name if self.owner else ""
        return Change(
            replace(self, swept_at=at, late_at=at), Event(kind=Kind.LATE, at=at, text=whose)
        )

    def retime(self, at: datetime, text: str, spare: datetime | None) -> Change:
        """The rules of time have changed; not reclaimed before ``spare``."""
        spared = replace(self, spare_at=spare) if spare else self
        data = {"spare": spare.isoformat()} if spare else {}
        return Change(spared, Event(kind=Kind.RETIMED, at=at, text=text, data=data))

    def reclaim(self, at: datetime, why: str) -> Change:
        taken = replace(self._placed(None, at), place=Place.POOL, next_at=None, why=why)
        whose = self.owner.name if self.owner else ""
        data = {"from": self.owner.id if self.owner else None}
        return Change(taken, Event(kind=Kind.RECLAIMED, at=at, text=f"{whose}：{why}", data=data))

    def orphan(self, at: datetime) -> Change:
        """Its owner has left: it waits in the pool, with all it has, for the managers."""
        whose = self.owner.name if self.owner else ""
        data = {"from": self.owner.id if self.owner else None}
        left = replace(
            self._placed(None, at), place=Place.POOL, tries=0, why=f"{whose} {HANDED_OVER}"
        )
        return Change(left, Event(kind=Kind.LEFT, at=at, text=whose, data=data))

    def idle(self, at: datetime) -> Change:
        return Change(
            replace(self._placed(None, at), place=Place.MARKETING), Event(kind=Kind.IDLE, at=at)
        )

    # -- the prospect --------------------------------------------------------

    def opt_out(self, at: datetime, how: str) -> Change:
        return Change(
            replace(self, opted_out_at=self.opted_out_at if self.left_alone else at, next_at=None),
            Event(kind=Kind.OPTED_OUT, at=at, text=how),
        )

    def click(self, at: datetime, what: str) -> Change:
        """In a letter; who wants to be left alone has not asked again by it."""
        asked_at = self.asked_at if self.left_alone else at
        return Change(replace(self, asked_at=asked_at), Event(kind=Kind.CLICKED, at=at, text=what))

    def speak(self, at: datetime) -> Change:
        """The first words of a customer who came by a 获客 link."""
        return Change(replace(self, asked_at=at), Event(kind=Kind.SPOKE, at=at))

    def signal(self, kind: Kind, at: datetime, text: str) -> Change:
        """The prospect did something that is worth points and is no enquiry."""
        return Change(self, Event(kind=kind, at=at, text=text))

    def befriended(self, at: datetime, who: str, parted_at: datetime | None) -> Change:
        """``parted_at``: as in ``part``; the lead may be reached by another contact of theirs."""
        return Change(
            replace(self, parted_at=parted_at), Event(kind=Kind.FRIENDED, at=at, text=who)
        )

    def part(self, kind: Kind, at: datetime, text: str, parted_at: datetime | None) -> Change:
        """A member and the customer are no longer contacts; ``parted_at``: since when nobody is."""
        parted = replace(self, parted_at=parted_at)
        return Change(parted, Event(kind=kind, at=at, text=text))

    # -- helpers -------------------------------------------------------------

    def _placed(self, owner: Member | None, at: datetime) -> Lead:
        return replace(
            self,
            owner=owner,
            place=Place.OWNER if owner else self.place,
            placed_at=at,
            accepted_at=None,
            contacted_at=None,
            followed_at=None,
            called_at=None,
            late_at=None,
            grace_at=None,
            spare_at=None,
            grab=False,
            extended=False,
            experts={},
            swept_at=at,
            hold="",
        )

    def check_mine(self, by: Member) -> None:
        """Raises Refused, which says whose it is, unless ``by`` may work on it."""
        if not self.owned_by(by):
            raise self._not_yours()
        self._must_be_open()

    def _must_be_owned(self) -> None:
        if self.owner is None:
            raise Refused(f"#{self.id} 还没有人跟，先「分配 {self.id} 姓名」")

    def _must_be_open(self) -> None:
        if not self.open:
            raise Refused(f"{self._ended()}，不能再改")

    def _ended(self) -> str:
        if self.merged_into is not None:
            return f"#{self.id} 已并入 #{self.merged_into}"
        return f"#{self.id} 已经{self.stage.label}"

    def _not_yours(self) -> Refused:
        if self.owner is None and self.place == Place.MARKETING:
            return Refused(f"#{self.id} 在市场培育中，需要跟进请主管分配")
        return NotYours(self.id, self.owner.name if self.owner else None)


class Change(NamedTuple):
    """What a rule decided: the lead as it is now, and the line to write in its history."""

    lead: Lead
    event: Event

    def saying(self, more: Mapping[str, Any]) -> Change:
        """The same, with ``more`` kept in its line."""
        return Change(self.lead, replace(self.event, data={**self.event.data, **more}))


class Mended(NamedTuple):
    """A follow-up before and after a correction; ``was``: the lead before it was logged at all."""

    event: int
    at: datetime
    old: FollowUp
    new: FollowUp
    was: Mapping[str, Any]
    what: str


def naming(lead: Lead, names: Iterable[str]) -> Lead:
    """``lead``, of which it is known that it was called ``names`` as well."""
    now = {getattr(lead, name) for name in NAMING}
    known = dict.fromkeys([*lead.other_names, *sorted({*names})])
    return replace(lead, other_names=tuple(n for n in known if n and n not in now)[-MOST_NAMES:])


def may_see(lead: Lead, by: Member) -> bool:
    """Whole phone numbers and names are for the owner, helpers, and those who answer for it."""
    if by.manages or str(by.id) in lead.experts:
        return True
    if by.role == Role.MARKETING:
        return lead.place == Place.MARKETING or lead.owner is None
    return lead.owned_by(by)


def check_role(by: Member, *roles: Role) -> None:
    """Raises NotAllowed unless ``by`` has one of ``roles``; an admin may do everything."""
    if by.role not in {*roles, Role.ADMIN}:
        names = {"rep": "销售", "manager": "主管", "marketing": "市场"}
        wanted = "或".join(names[role] for role in roles if role in names)
        raise NotAllowed(f"这一步由{wanted}来做")


def spelled(span: timedelta) -> str:
    """A setting in words: "7 天", "36 小时", "90 分钟"."""
    minutes = int(span.total_seconds() // 60)
    for unit, size in (("天", 1440), ("小时", 60)):
        if minutes and minutes % size == 0:
            return f"{minutes // size} {unit}"
    return f"{minutes} 分钟"


def higher_of(one: str, other: str) -> str:
    return max(one, other, key=QUALIFICATIONS.index)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _past(moment: datetime | None, at: datetime) -> bool:
    return moment is not None and moment <= at
