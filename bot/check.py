"""``leadbot check``: the effective rules, in sentences."""

from datetime import timedelta

from bot.config import Routing, Settings

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
    "wechat": "微信", "external_userid": "企业微信客户",
}  # fmt: skip


def explain(settings: Settings) -> str:
    """What the configuration means; a valid one is given."""
    lines = [
        "配置没有错误。",
        f"平台：{_platforms(settings)}",
        f"团队：{'、'.join(p.name for p in settings.team) or '还没有人，在 [[team]] 里加'}",
        "分配：",
        *(f"  {i}. {_routing(rule)}" for i, rule in enumerate(settings.routing, 1)),
        f"  {len(settings.routing) + 1}. 其余的在合适的人里轮流分配"
        if settings.routing
        else "  合适的人里轮流分配",
        "  没有合适的人，请主管决定",
        "时限：",
        f"  分到后 {_span(settings.sla.accept)}内接受，最多问 {settings.sla.accept_tries} 个人",
        (
            f"  首次联系 {_span(settings.sla.first_response)}，"
            f"高分线索 {_span(settings.sla.first_response_hot)}（工作时间）"
        ),
        (
            f"  {_hours(settings.pool.no_contact)}（工作时间）没联系、"
            f"{_span(settings.pool.no_follow_up)}没跟进，回收到公海"
        ),
        f"  公海里 {_span(settings.pool.idle_to_marketing)}没人领，转市场培育",
        f"日报：工作日 {settings.digest.at}",
    ]
    return "\n".join(lines)


def _platforms(settings: Settings) -> str:
    on = [
        name
        for name, there in (("企业微信", settings.wecom), ("钉钉", settings.dingtalk))
        if there
    ]
    return "、".join(on) or "都没有配置"


def _routing(rule: Routing) -> str:
    when = "，".join(f"{FIELDS.get(name, name)} {_value(v)}" for name, v in rule.when.items())
    to = f"（{'、'.join(rule.to)}）" if rule.to else ""
    return f"{rule.name}：{when or '所有线索'} → {HOW[rule.assign]}{to}"


def _value(value: object) -> str:
    if value is True:
        return "有填"
    return "或".join(value) if isinstance(value, tuple) else str(value)


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 1440} 天" if minutes % 1440 == 0 and minutes else _hours(span)


def _hours(span: timedelta) -> str:
    """Working time is told in hours: 24 of them are no day."""
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} 小时" if minutes % 60 == 0 and minutes else f"{minutes} 分钟"
