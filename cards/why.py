"""Why this score and why this person, in words; each reader sees what is theirs to see."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cards.lead import shown_name
from cards.words import dated
from store.domain.gates import LABELS
from store.domain.lead import QUALIFIED, Kind, Lead, Part, may_see
from store.domain.masking import redacted, sees_whole
from store.domain.rules import Rules
from store.domain.scoring import LEVELS, MOST
from store.domain.team import Member

SKIPPED = {
    "inactive": "不在团队", "refused": "派过，没接", "off": "请假", "full": "满了",
    "region": "地区不符", "product": "产品不符", "industry": "行业不符",
    "not_named": "规则里没写", "turn": "还没轮到", "load": "手上更多", "grade": "级别差得更远",
    "other": "另有指名的人",
}  # fmt: skip
PASSED = {
    "nobody": "没有合适的人", "min_score": "分数不够", "min_size": "公司规模不符",
    "max_size": "公司规模不符", "min_complete": "资料不够全", "grade": "等级不符",
}  # fmt: skip
GIVEN = (Kind.ASSIGNED, Kind.GRAB, Kind.UNSUITABLE)
"""Lines of the history that keep what was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the history, as far as it tells why."""

    kind: Kind
    at: datetime
    by: Member | None
    text: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks, when, and what has to be known besides. ``chance``: what was learned, in words."""

    reader: Member
    now: datetime
    rules: Rules
    team: Mapping[int, Member]
    chance: Sequence[str] = ()


def why_text(lead: Lead, story: Sequence[Line], asked: Asked) -> str:
    """``story``: the history, oldest first."""
    sees, whole = may_see(lead, asked.reader), sees_whole(lead, asked.reader)
    given = next((line for line in reversed(story) if line.kind in GIVEN), None)
    lines = [
        f"#{lead.id} {shown_name(lead, hidden=not whole)}",
        *(_worth(lead, story, asked.rules, asked.now) if sees else ()),
        *(asked.chance if sees else ()),
        *_person(lead, given, asked.reader, asked.team),
        _judged(lead, asked.rules),
    ]
    text = "\n".join(filter(None, lines))
    return text if whole else redacted(text, lead)


def _worth(lead: Lead, story: Sequence[Line], rules: Rules, now: datetime) -> Iterator[str]:
    hot = "，高分线索" if lead.score >= rules.hot else ""
    yield f"{lead.score} 分 {lead.grade} 级{hot}，{QUALIFIED[lead.qualification]}"
    known = [part for part in lead.points if not part.last]
    did = [part for part in lead.points if part.last]
    if known:
        yield f"资料 {_sum(known)}：{'，'.join(map(_known, known))}"
    if did:
        half = f"{rules.scale.half_life.days} 天减半" if rules.scale.half_life.days else "会减半"
        yield f"行为 {_sum(did)}（{half}）：{'，'.join(_done(part, now) for part in did)}"
    yield from _bent(lead, story)
    for line in story:
        if "qualification" in line.data:
            who = f"{line.by.name} " if line.by else ""
            to = line.data["qualification"][1]
            yield f"{to}：{dated(line.at, now, rules.zone)} {who}{line.text.partition('：')[2] or line.text}"


def _judged(lead: Lead, rules: Rules) -> str:
    """By which version of the rules, where there have been others since."""
    if not lead.rules:
        return ""
    return f"按第 {lead.rules} 版规则" + ("" if lead.rules == rules.version else "，之后改过")


def _bent(lead: Lead, story: Sequence[Line]) -> Iterator[str]:
    """Why the number is not the sum."""
    total = sum(part.points for part in lead.points)
    if lead.importance:
        set_by = next((line.by for line in reversed(story) if line.kind == Kind.IMPORTANCE), None)
        who = f"{set_by.name} " if set_by else ""
        derived = max(0, min(MOST, total))
        yield f"{who}设为{LEVELS[lead.importance]}，按规则是 {derived} 分"
    elif total != lead.score:
        yield f"合计 {total}，按 {lead.score} 分算"


def _sum(parts: Sequence[Part]) -> int:
    return sum(part.points for part in parts)


def _known(part: Part) -> str:
    return f"{part.rule} {part.points:+d}"


def _done(part: Part, now: datetime) -> str:
    days = (now - datetime.fromisoformat(part.last)).days
    when = f"{days} 天前" if days else "今天"
    times = f"{part.times} 次，" if part.times > 1 else ""
    faded = f"原 {part.full:+d}，" if part.full != part.points else ""
    return f"{part.rule} {part.points:+d}（{faded}{times}{when}）"


def _person(
    lead: Lead, given: Line | None, reader: Member, team: Mapping[int, Member]
) -> Iterator[str]:
    owner = "你" if lead.owned_by(reader) else lead.owner.name if lead.owner else ""
    yield f"归{owner}：{lead.why}" if owner else f"没有人负责：{lead.why or '在公海'}"
    if given is None or (given.kind == Kind.ASSIGNED and "rule" not in given.data):
        return
    chosen = team.get(int(given.data.get("to") or 0))
    now_with = lead.owner.id if lead.owner else None
    if chosen is not None and chosen.id != now_with:
        yield f"当时分给 {chosen.name}"
    if given.data.get("rule"):
        yield f"按规则「{given.data['rule']}」"
    yield from _passed(given.data.get("passed", ()))
    if given.kind == Kind.GRAB and given.data.get("grab"):
        asked = [team[m].name for m in given.data["grab"] if m in team]
        yield f"一起抢的：{_some(asked)}"
    # A grab that is the last resort keeps nothing itself: the ones before it let it pass.
    yield from _skipped(given.data.get("skipped") or {"refused": lead.refused}, reader, team)


def _passed(rules: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rules before it that did not decide."""
    told = [f"「{name}」{_not_so(why)}" for name, why in rules]
    if told:
        yield f"没用上：{'，'.join(told)}"


def _not_so(why: str) -> str:
    return PASSED.get(why) or f"{LABELS.get(why, why)}不符"


def _skipped(
    skipped: Mapping[str, Sequence[int]], reader: Member, team: Mapping[int, Member]
) -> Iterator[str]:
    for reason, members in skipped.items():
        if reader.id in members:
            yield f"没给你：{SKIPPED.get(reason, reason)}"
    for reason, members in skipped.items():
        names = [team[m].name for m in members if m in team and m != reader.id]
        if names:
            yield f"{SKIPPED.get(reason, reason)}：{_some(names)}"


def _some(names: Sequence[str]) -> str:
    more = f" 等 {len(names)} 人" if len(names) > NAMES else ""
    return f"{'、'.join(names[:NAMES])}{more}"


NAMES = 6
"""Colleagues a reason names."""
