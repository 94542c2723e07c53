"""``leadbot check``: the effective rules, in sentences."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta

from bot.config import Dispatch, Journey, Policy, Routing, Scope, Scoring, Settings, Sop, stages
from cards.words import WEEKDAYS
from store.domain.calendar import WorkCalendar
from store.domain.channels import CLASSES
from store.domain.custom import KINDS
from store.domain.lead import REASONS, Stage, spelled
from store.domain.scoring import EVENTS

HOW = {
    "named": "给客户指名的人",
    "former": "给之前跟过的人",
    "round_robin": "轮流分配",
    "least_load": "给手上最少的人",
    "grade": "按级别匹配",
    "manager": "请主管决定",
    "grab": "大家抢，先点先得",
}
FIELDS = {
    "region": "地区", "product": "产品", "industry": "行业", "source": "来源",
    "channel": "渠道", "keyword": "关键词", "min_score": "分数不低于", "title": "职位",
    "campaign": "活动", "company": "公司", "message": "留言", "phone": "电话", "email": "邮箱",
    "wechat": "微信", "external_userid": "企业微信客户", "stage": "阶段",
    "company_size": "公司规模", "min_size": "人数不少于", "max_size": "人数不多于", "grade": "级别",
    "min_complete": "资料完整度不低于", "event": "行为",
}  # fmt: skip
CHANNELS = {"email": "邮件", "wecom": "企业群发"}
TEMPLATES = {"brand": "品牌", "product": "产品", "case": "案例", "event": "活动"}


def explain(settings: Settings, today: date | None = None) -> str:
    """What the configuration means; a valid one is given. ``today``: None is really today."""
    today = today or datetime.now(settings.zone).date()
    parts: tuple[tuple[str, Iterator[str]], ...] = (
        ("工作时间", _calendar(settings, today)),
        ("打分", _scores(settings)),
        ("分配", _routings(settings)),
        ("时限", _limits(settings)),
        ("公海", _pool(settings)),
        ("阶段", _stages(settings)),
        ("自己的字段", _fields(settings)),
        ("培育", _nurture(settings)),
        ("渠道", _channels(settings)),
        ("业务线", _lines(settings)),
    )
    head = [
        "配置没有错误。",
        f"平台：{_platforms(settings)}",
        f"团队：{'、'.join(p.name for p in settings.team) or '还没有人，在 [[team]] 里加'}",
    ]
    told = [(name, list(lines)) for name, lines in parts]
    body = [line for name, lines in told if lines for line in (f"{name}：", *_indented(lines))]
    return "\n".join([*head, *body, f"日报：工作日 {settings.digest.at}"])


def explain_held(settings: Settings, held: Settings, version: str) -> str:
    """The rules in force, which are those of ``version``, and what the file says instead."""
    now, file = explain(held).splitlines(), explain(settings).splitlines()
    unused = [line for line in file if line not in now]
    return "\n".join(
        [
            f"注意：现在用的是{version}，leadbot.toml 里的规则没有在用。在用的是：",
            *now,
            *(["leadbot.toml 里写的不一样，没有在用："] if unused else []),
            *_indented([line.strip() for line in unused]),
        ]
    )


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _platforms(settings: Settings) -> str:
    on = [
        name
        for name, there in (("企业微信", settings.wecom), ("钉钉", settings.dingtalk))
        if there
    ]
    return "、".join(on) or "都没有配置"


def _calendar(settings: Settings, today: date) -> Iterator[str]:
    calendar = settings.calendar
    if calendar.always_open:
        yield "随时都算工作时间"
        return
    days = "、".join(f"周{WEEKDAYS[day - 1]}" for day in sorted(set(calendar.workdays)))
    hours = "、".join(_hours_of(span) for span in calendar.hours)
    yield f"{days} {hours}，法定假日和调休自动算（{calendar.timezone}）"
    if calendar.holidays:
        yield f"另外休息：{'、'.join(map(str, calendar.holidays))}"
    if calendar.extra_workdays:
        yield f"另外上班：{'、'.join(map(str, calendar.extra_workdays))}"
    known = WorkCalendar(settings.zone, holidays=frozenset(calendar.holidays))
    if year := known.unknown_soon(today):
        yield f"注意：{year} 年的放假安排还没有，先按每周的工作日算，公布后升级或写在 [calendar] 里"


def _hours_of(span: tuple[time, time]) -> str:
    return "-".join(at.strftime("%H:%M") for at in span)


def _scores(settings: Settings) -> Iterator[str]:
    if not settings.scoring:
        yield "用自带的规则：手机、需求、公司、产品、邮箱、决策人、着急各有分"
    for rule in settings.scoring:
        yield _scoring(rule)
    score = settings.score
    yield f"{score.hot} 分起是高分线索，{score.mql} 分起算市场认可（MQL），在培育的自动派给销售"
    levels = "，".join(
        f"{least} 分起 {name} 级" for name, least in zip("ABC", score.grades, strict=True)
    )
    yield f"{levels}，其余 D 级"
    yield f"行为的分 {spelled(score.half_life)}减一半"


def _scoring(rule: Scoring) -> str:
    return f"{rule.name}：{_when(rule.when)} → {rule.points:+d} 分"


def _routings(settings: Settings) -> Iterator[str]:
    yield from _gates(settings.dispatch, settings.score.mql)
    if not settings.calendar.always_open:
        waits = settings.dispatch.working_time
        yield "下班后进来的，开门时按分数从高到低分" if waits else "下班后进来的也马上分"
    told = {rule.assign for rule in settings.routing}
    first = {"named": "客户指名的人", "former": "之前跟过的人"}
    if before := [who for how, who in first.items() if how not in told]:
        yield f"{'、'.join(before)}先考虑"
    for place, rule in enumerate(settings.routing, 1):
        yield f"{place}. {_routing(rule)}"
    rest = f"{len(settings.routing) + 1}. 其余的在合适的人里" if settings.routing else "合适的人里"
    yield f"{rest}轮流分配"
    yield "没有合适的人，请主管决定"


def _gates(gates: Dispatch, mql: int) -> Iterator[str]:
    """What is waited for before a lead is given to anybody; ``mql`` opens the gate of the score."""
    least = min(gates.min_score, mql)
    asked = [
        *(
            [f"填了{'、'.join(FIELDS.get(name, name) for name in gates.required)}"]
            if gates.required
            else []
        ),
        *([f"满 {least} 分"] if least else []),
        *(["同意联系"] if gates.consent else []),
    ]
    if asked:
        yield f"{'、'.join(asked)}才分"
    if least:
        yield f"不到 {least} 分的先培育，分数到了自动分"


def _routing(rule: Routing) -> str:
    turns = {name: f"{name}×{times}" for name, times in rule.weights.items()}
    people = "、".join(turns.get(name, name) for name in rule.to)
    if turns and not people:
        people = "，".join(["合适的人", *turns.values()])
    to = f"（{people}）" if people else ""
    return f"{rule.name}：{_when(rule.when)} → {HOW[rule.assign]}{to}"


def _when(when: Mapping[str, object]) -> str:
    told = "，".join(f"{FIELDS.get(name, name)} {_value(name, v)}" for name, v in when.items())
    return told or "所有线索"


def _value(name: str, value: object) -> str:
    if value is True:
        return "有填"
    values = value if isinstance(value, tuple) else (value,)
    return "或".join(_named(name, str(v)) for v in values)


def _named(name: str, code: str) -> str:
    if name == "stage":
        return _stage(code)
    return EVENTS.get(code, code) if name == "event" else code


def _stage(code: str) -> str:
    return Stage(code).label


def _limits(settings: Settings) -> Iterator[str]:
    sla = settings.sla
    yield f"分到后 {spelled(sla.accept)}内接受，最多问 {sla.accept_tries} 个人"
    yield (
        f"首次联系 {spelled(sla.first_response)}，高分线索 {spelled(sla.first_response_hot)}"
        "（工作时间），到时请主管看一眼"
    )
    yield f"主管可以再给 {spelled(sla.grace)}（工作时间）"


def _pool(settings: Settings) -> Iterator[str]:
    pool = settings.pool
    yield (
        f"{_hours(pool.no_contact)}（工作时间）没联系、{spelled(pool.no_follow_up)}没跟进，回收到公海"
    )
    yield (
        f"首次联系后 {spelled(pool.no_conversion)}没有转化也回收；"
        f"有内容的一次跟进保 {spelled(pool.protect)}，最长 {spelled(pool.hard_max)}"
    )
    yield f"回收前 {'、'.join(map(spelled, pool.warn_before))}提醒，能延期一次 {spelled(pool.extend)}，到最长为止"
    if pool.exempt_stages:
        yield f"不回收的阶段：{'、'.join(_stage(stage) for stage in pool.exempt_stages)}"
    for policy in pool.policy:
        yield _policy(policy)
    for scope in pool.scope:
        yield _scope(scope)
    claims = f"一天最多领 {pool.daily_claims} 条" if pool.daily_claims else "领取不限条数"
    yield f"{claims}，手上最多 {pool.cap} 条，放回的 {spelled(pool.cooldown)}内自己不能再领"
    if pool.embargo:
        yield f"进公海 {spelled(pool.embargo)}以后才能领"
    yield f"公海里 {spelled(pool.idle_to_marketing)}没人领，转市场培育"


POLICY = {
    "no_contact": "没联系", "no_follow_up": "没跟进", "no_conversion": "没转化",
    "hard_max": "最长", "protect": "跟进保", "extend": "延期",
}  # fmt: skip


def _policy(policy: Policy) -> str:
    own = [
        f"{word} {spelled(span)}"
        for name, word in POLICY.items()
        if (span := getattr(policy, name))
    ]
    return f"{policy.name}：{_when(policy.when)} → {'不回收' if policy.exempt else '，'.join(own)}"


def _scope(scope: Scope) -> str:
    members = "、".join(scope.members) or "所有销售"
    admins = "、".join(scope.admins) or "主管"
    return f"「{scope.name}」：{_when(scope.when)}，{members}能领，{admins}分配"


def _stages(settings: Settings) -> Iterator[str]:
    kept = {stage.name for stage in settings.stage if stage.exempt}
    named = (stage.label + ("（不回收）" if stage in kept else "") for stage in stages(settings))
    yield f"分到以后：{' → '.join(named)} → 成交"
    for sop in settings.sop:
        yield _sop(sop)
    # The task that comes with the program is of a stage that need not be among one's own.
    for task in (task for task in settings.task if task.stage in stages(settings)):
        yield f"进入「{_stage(task.stage)}」{spelled(task.after)}后提醒：{task.text}"
    yield (
        f"联系 {settings.attempts.most} 次、{settings.attempts.workdays} 个工作日还没联系上，建议退回"
    )


def _sop(sop: Sop) -> str:
    asked = "、".join(question.label for question in sop.questions)
    parts = [
        f"每 {spelled(sop.every)}跟一次" if sop.every else "",
        f"用{sop.channel}" if sop.channel else "",
        f"离开前要问：{asked}" if asked else "",
    ]
    from_score = f"（{sop.min_score} 分起）" if sop.min_score else ""
    return f"「{_stage(sop.stage)}」{from_score}：{'，'.join(filter(None, parts))}"


def _fields(settings: Settings) -> Iterator[str]:
    for field in settings.field:
        marks = [
            KINDS[field.type] + (f"（{'、'.join(field.choices)}）" if field.choices else ""),
            *(["必填"] if field.required else []),
            *([] if field.card else ["不上卡片"]),
            *(["领取后才看得到"] if field.hidden else []),
        ]
        yield f"{field.name}：{'，'.join(marks)}"


def _nurture(settings: Settings) -> Iterator[str]:
    for journey in settings.journey:
        yield _journey(journey)
    nurture = settings.nurture
    most = f"一位客户一天最多 {nurture.per_day} 条" if nurture.per_day else "一天不限条数"
    yield f"{most}，{nurture.quiet} 和法定假日不打扰" if nurture.quiet else most


def _channels(settings: Settings) -> Iterator[str]:
    for channel in settings.channel:
        costs = [
            *([f"每月 {channel.per_month:g} 元"] if channel.per_month else []),
            *([f"每条 {channel.per_lead:g} 元"] if channel.per_lead else []),
            *([f"佣金 {channel.commission:.0%}"] if channel.commission else []),
        ]
        of = f"，包括{'、'.join(channel.sources)}" if channel.sources else ""
        yield f"{channel.name}（{CLASSES[channel.kind]}）：{'，'.join(costs) or '没有花费'}{of}"
    if settings.roi.margin != 1:
        yield f"毛利按成交额的 {settings.roi.margin:.0%} 算"


def _lines(settings: Settings) -> Iterator[str]:
    for line in settings.line:
        yield f"{line.name}：产品里有{'、'.join(line.products) or '它的名字'}" + (
            f"，或者说到{'、'.join(line.keywords)}" if line.keywords else ""
        )


def _journey(journey: Journey) -> str:
    reasons = "、".join(REASONS[code][0] for code in journey.reasons) or "退回的线索"
    steps = "，".join(
        f"{spelled(step.after)}后{CHANNELS[step.channel]}「{TEMPLATES[step.template]}」"
        for step in journey.steps
    )
    return f"{journey.name}：{reasons} → {steps}"


def _hours(span: timedelta) -> str:
    """Working time is told in hours: 24 of them are no day."""
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} 小时" if minutes % 60 == 0 and minutes else f"{minutes} 分钟"
