"""
Everything a person can say: the table reads as the manual.

One row per verb. A card button carries the same line a person would type, so
there is no second table for buttons.
"""

import difflib
import re
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from handlers import (
    alarms,
    channels,
    clocks,
    connections,
    details,
    duty,
    follow,
    give,
    handover,
    known,
    lists,
    manage,
    merge,
    newline,
    quota,
    remind,
    score,
    shares,
    undo,
    ways,
    why,
    work,
)
from handlers.follow import About
from handlers.handover import HandOver
from handlers.lists import Look, Page
from handlers.new import checked, new
from handlers.paste import looks_like_lead, offer
from handlers.reply import Reply
from store.db import Tx
from store.domain.deadlines import Limits
from store.domain.errors import BadCommand
from store.domain.lead import LeadId, check_role
from store.domain.pools import administers
from store.domain.team import Member, Role
from store.domain.undo import INSTEAD

REP = (Role.REP,)
SALES = (Role.REP, Role.MANAGER)
MANAGER = (Role.MANAGER,)
MARKET = (Role.MARKETING, Role.MANAGER)
ALL = (Role.REP, Role.MANAGER, Role.MARKETING)
Run = Callable[[Tx, Member], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """``parse`` reads what follows the name and raises ValueError when it cannot."""

    names: tuple[str, ...]
    usage: str
    does: str
    roles: tuple[Role, ...]
    parse: Callable[[str], Any]
    handler: Callable[[Tx, Member, Any], Awaitable[Reply]]
    undo: bool = False  # 撤销 takes it back
    also: Callable[[Member, Limits], bool] | None = None  # who else, whatever their role

    def allows(self, tx: Tx, by: Member) -> bool:
        """Whether ``by`` may; of which leads is the handler's to say."""
        named = self.also is not None and self.also(by, tx.rules.limits)
        return named or by.role in {*self.roles, Role.ADMIN}

    def bind(self, rest: str) -> Run:
        """Raises BadCommand, with how to write it."""
        try:
            wanted = self.parse(rest)
        except ValueError:
            raise BadCommand(f"这样写：{self.usage}") from None

        async def run(tx: Tx, by: Member) -> Reply:
            if not self.allows(tx, by):
                check_role(by, *self.roles)
            scene = await undo.before(tx, _ids(wanted) if self.undo else ())
            reply = await self.handler(tx, by, wanted)
            await undo.remember(tx, by, self.names[0], scene)
            if self.names[0] in INSTEAD and (reply.told or reply.acted):
                await undo.passed(tx, by, self.names[0], _ids(wanted)[-1:])
            return reply

        return run


def _ids(wanted: Any) -> tuple[LeadId, ...]:
    """The leads that a command is about."""
    if isinstance(wanted, About | score.Weight | score.Verdict):
        return (wanted.lead_id,)
    if isinstance(wanted, give.Give):
        return wanted.ids
    if isinstance(wanted, int):
        return (LeadId(wanted),)
    return wanted if isinstance(wanted, tuple) and isinstance(wanted[0], int) else ()


def number(text: str) -> LeadId:
    """42, #42, L42, in whatever width, also ending a sentence. Raises ValueError."""
    digits = unicodedata.normalize("NFKC", text).strip().rstrip(".,;。").lstrip("#Ll")
    if not digits.isdecimal() or len(digits) > 9:
        raise ValueError(text)
    return LeadId(int(digits))


def numbers(text: str) -> tuple[LeadId, ...]:
    found = tuple(
        dict.fromkeys(number(part) for part in re.split(r"[\s,，、;；和及跟与]+", text) if part)
    )
    if not 0 < len(found) <= 20:
        raise ValueError(text)
    return found


def about(text: str) -> About:
    """A number and words, also with no blank between them: ``1电话 聊了``. Raises ValueError."""
    if glued := GLUED.match(text):
        return About(number(glued[0]), text[glued.end() :].strip())
    first, words = _split(text)
    return About(number(first), words)


def giving(text: str) -> give.Give:
    """Numbers, then names: ``42 43 李雷 韩梅``, ``42李雷``. Raises ValueError."""
    ids: list[LeadId] = []
    rest = text.strip()
    while found := (GLUED.match(rest) or ONE.match(rest)):
        ids.append(number(found[0].strip(" ,，、")))
        rest = rest[found.end() :].lstrip(" ,，、")
    if not 0 < len(ids) <= MOST_GIVEN:
        raise ValueError(text)
    return give.Give(tuple(dict.fromkeys(ids)), rest.strip())


def important(text: str) -> score.Weight:
    told = about(text)
    return score.weight(told.lead_id, told.words)


def verdict(text: str) -> score.Verdict:
    told = about(text)
    return score.verdict(told.lead_id, told.words)


def single(text: str) -> About:
    """What is told of a single lead. Raises ValueError; BadCommand asks which of two is meant."""
    two = SEVERAL.match(_plain(text))
    if two:
        raise BadCommand(f"一次只能写一条，是 #{two[1]} 还是 #{two[2]}？分两次发就行")
    return about(text)


def page(text: str) -> Page:
    """Words, and at the end the number of the page: ``华东 2页``, ``第2页``, ``page 2``."""
    found = PAGE.search(_plain(text))
    if found:
        return Page(" ".join(text[: found.start()].split()), max(int(found[1] or found[2]), 1))
    return Page(text)


def doubtful(text: str) -> Page | LeadId:
    """A lead, or a page of all of them. Raises ValueError."""
    wanted = page(text)
    return wanted if not wanted.words else number(wanted.words)


def look(text: str) -> Look:
    first, words = _split(text)
    try:
        return Look(number(first), words)
    except ValueError:
        return Look(None, text)


def maybe_number(text: str) -> LeadId | None:
    return number(text) if text else None


def people(text: str) -> HandOver:
    """A leaver, who gets what they had, and 照给. Raises ValueError."""
    names = re.sub(r"(?:^|\s)(?:给|to)\s", " ", text).replace("，", " ").split()
    anyway = len(names) == 3 and names[2].casefold() in give.ANYWAY
    if not 1 <= len(names) - anyway <= 2:
        raise ValueError(text)
    return HandOver(names[0], "".join(names[1:2]), anyway)


def anything(text: str) -> str:
    return text


def something(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


async def help_me(tx: Tx, by: Member, _: str) -> Reply:
    """What can be typed, by role."""
    lines = [f"「{c.usage}」{c.does}" for c in COMMANDS if c.allows(tx, by)]
    return Reply(text="可以这样发，42 换成线索的编号：\n" + "\n".join(lines), private=True)


COMMANDS = (
    Command(names=("帮助", "help", "?", "菜单"), usage="帮助", does="能发什么",
            roles=ALL, parse=anything, handler=help_me),
    Command(names=("我的", "mine"), usage="我的", does="在跟的线索",
            roles=SALES, parse=page, handler=lists.mine),
    Command(names=("待看", "unseen"), usage="待看", does="一下子来太多、还没看的线索",
            roles=ALL, parse=page, handler=lists.unseen),
    Command(names=("今日", "today", "今天"), usage="今日", does="今天先做哪些",
            roles=SALES, parse=anything, handler=lists.today),
    Command(names=("线索", "lead"), usage="线索 42", does="看一条，或「线索 张三」按名字找",
            roles=ALL, parse=look, handler=lists.look),
    Command(names=("公海", "pool"), usage="公海 华东", does="可以领的线索",
            roles=SALES, parse=page, handler=lists.pool),
    Command(names=("领取", "claim", "接受", "认领", "accept"), usage="领取 42", does="领一条或几条；主管只接受派给自己的",
            roles=SALES, parse=numbers, handler=work.claim, undo=True),
    Command(names=("跟进", "log"), usage="跟进 42 电话 聊了报价 下周三下午3点再约", does="记一次跟进",
            roles=SALES, parse=single, handler=follow.log, undo=True),
    Command(names=("改", "correct", "更正"), usage="改 42 时间 明天9点", does="改刚才那次跟进，时间、方式、金额都行",
            roles=SALES, parse=about, handler=follow.correct, undo=True),
    Command(names=("答", "answer"), usage="答 42 预算 20万", does="记下这个阶段要问的",
            roles=SALES, parse=about, handler=follow.answer, undo=True),
    Command(names=("阶段", "stage"), usage="阶段 42 意向", does="跟进中、意向、已报价",
            roles=SALES, parse=about, handler=work.move, undo=True),
    Command(names=("成交", "won"), usage="成交 42 12万", does="签下来了",
            roles=SALES, parse=about, handler=work.won, undo=True),
    Command(names=("流失", "lost"), usage="流失 42 选了别家", does="没谈成",
            roles=SALES, parse=single, handler=work.lost, undo=True),
    Command(names=("无效", "invalid"), usage="无效 42 空号", does="不是真的线索",
            roles=SALES, parse=single, handler=work.invalid, undo=True),
    Command(names=("退回", "return"), usage="退回 42 未到时机", does="还给市场培育",
            roles=SALES, parse=single, handler=work.give_back, undo=True),
    Command(names=("放回", "release"), usage="放回 42", does="放回公海",
            roles=SALES, parse=number, handler=work.release, undo=True),
    Command(names=("删除", "delete"), usage="删除 42", does="不要了：进公海，历史都留着",
            roles=SALES, parse=number, handler=work.delete, undo=True),
    Command(names=("转交", "transfer"), usage="转交 42 韩梅", does="交给同事",
            roles=SALES, parse=about, handler=work.transfer, undo=True),
    Command(names=("延期", "extend"), usage="延期 42", does="晚几天回收，只能一次",
            roles=SALES, parse=number, handler=work.extend, undo=True),
    Command(names=("为什么", "why"), usage="为什么 42", does="分数怎么来的，为什么是这个人",
            roles=ALL, parse=number, handler=why.why),
    Command(names=("重要", "important"), usage="重要 42 高", does="高、中、低由我定，「自动」按规则",
            roles=ALL, parse=important, handler=score.weigh, undo=True),
    Command(names=("认定", "qualify"), usage="认定 42 SQL 有预算，老板拍板", does="市场认 MQL，销售认 SQL",
            roles=ALL, parse=verdict, handler=score.qualify, undo=True),
    Command(names=("提醒", "remind"), usage="提醒 42 明天9点 打电话", does="到点提醒我",
            roles=SALES, parse=about, handler=remind.remind, undo=True),
    Command(names=("请假", "leave"), usage="请假 明天下午", does="这段时间不派给我",
            roles=SALES, parse=anything, handler=duty.leave),
    Command(names=("上班", "back"), usage="上班", does="回来了，可以派给我",
            roles=SALES, parse=anything, handler=duty.back),
    Command(names=("生日", "birthday"), usage="生日 42 5月12日", does="每年那天早上提醒，农历也行",
            roles=SALES, parse=about, handler=remind.birthday, undo=True),
    Command(names=("求助", "assist"), usage="求助 42 王工 想问接口", does="请同事帮忙看，线索还是你的",
            roles=SALES, parse=about, handler=handover.assist, undo=True),
    Command(names=("备注", "note"), usage="备注 42 接口周五给", does="给看得到这条的人留句话",
            roles=ALL, parse=about, handler=handover.note),
    Command(names=("撤销", "undo"), usage="撤销", does="10 分钟内，收回自己刚做的一步",
            roles=ALL, parse=maybe_number, handler=undo.undo),
    Command(names=("录入", "new"), usage="录入 王五 13800138000 想要报价", does="记一条新线索",
            roles=ALL, parse=something, handler=new),
    Command(names=("新线", "line"), usage="新线 42 云客服", does="同一位客户还要别的，另建一条关联的",
            roles=ALL, parse=about, handler=newline.new_line),
    Command(names=("查重", "known"), usage="查重 13800138000", does="有没有这位客户，不会存下什么",
            roles=ALL, parse=checked, handler=known.check),
    Command(names=("合并", "merge"), usage="合并 42 57", does="两条是同一位，57 并入 42",
            roles=ALL, parse=numbers, handler=merge.merge),
    Command(names=("不同", "differ"), usage="不同 42 57", does="核对过，不是同一位",
            roles=ALL, parse=numbers, handler=merge.differ),
    Command(names=("分开", "split"), usage="分开 42", does="刚并进来的不是同一位，分出去",
            roles=ALL, parse=number, handler=merge.split),
    Command(names=("重复", "doubles", "疑似重复"), usage="重复", does="还没核对的疑似重复",
            roles=MARKET, parse=doubtful, handler=merge.doubts),
    Command(names=("分配", "assign"), usage="分配 42 李雷", does="给某个人",
            roles=MANAGER, parse=giving, handler=give.assign, undo=True, also=administers),
    Command(names=("宽限", "grace", "再给一小时"), usage="宽限 42", does="超时没联系的，再给一小时",
            roles=MANAGER, parse=number, handler=manage.grace, undo=True),
    Command(names=("我来", "take", "接手"), usage="我来 42", does="我自己接过来跟",
            roles=MANAGER, parse=number, handler=manage.take, undo=True),
    Command(names=("交接", "handover"), usage="交接 李雷 韩梅", does="他手上的全部交给另一位，不写名字就按规则分",
            roles=MANAGER, parse=people, handler=handover.hand_over),
    Command(names=("点评", "comment"), usage="点评 42 先问清楚谁决定", does="跟的人会看到",
            roles=MANAGER, parse=about, handler=handover.comment),
    Command(names=("日报", "digest"), usage="日报", does="今天的数字",
            roles=MANAGER, parse=anything, handler=manage.digest),
    Command(names=("漏斗", "funnel"), usage="漏斗 30天", does="线索走到哪一步，每一步转化多少、谁认定的",
            roles=MARKET, parse=channels.days, handler=shares.funnel),
    Command(names=("分布", "fairness"), usage="分布 7天", does="每个人分到多少，均不均",
            roles=MANAGER, parse=shares.week, handler=shares.distribution),
    Command(names=("渠道", "sources"), usage="渠道 90天", does="每个渠道来了多少、花了多少、值不值",
            roles=MARKET, parse=channels.days, handler=channels.channels),
    Command(names=("活码", "qrcode", "渠道活码"), usage="活码 展会 李雷", does="做一个渠道的二维码，扫了就是线索",
            roles=MARKET, parse=ways.wanted, handler=ways.code),
    Command(names=("获客", "link", "获客链接"), usage="获客 官网 李雷", does="做一个渠道的加好友链接",
            roles=MARKET, parse=ways.wanted, handler=ways.link),
    Command(names=("资料", "fill", "补充"), usage="资料 42 预算 20万", does="补一项资料，不写就看全部",
            roles=ALL, parse=about, handler=details.fill, undo=True),
    Command(names=("配额", "quota"), usage="配额", does="两个平台还能发多少",
            roles=MANAGER, parse=anything, handler=quota.quota),
    Command(names=("告警", "alarms"), usage="告警", does="平台哪里不通、从什么时候起",
            roles=MANAGER, parse=anything, handler=alarms.standing),
    Command(names=("重连", "reconnect"), usage="重连", does="智能机器人被别处连走，停掉那边后连回来",
            roles=MANAGER, parse=anything, handler=connections.reconnect),
    Command(names=("日历", "calendar"), usage="日历 2027-02-06 上班", does="看假日和调休；管理员可以改",
            roles=MANAGER, parse=anything, handler=clocks.calendar),
    Command(names=("绑定", "bind"), usage="绑定", does="在群里发，日报发到这个群",
            roles=MANAGER, parse=anything, handler=manage.bind),
)  # fmt: skip
BY_NAME = {name: command for command in COMMANDS for name in command.names}
TRADITIONAL = str.maketrans(
    "幫單線領認進階無轉錄報碼獲鏈額綁優備註評銷", "帮单线领认进阶无转录报码获链额绑优备注评销"
)
LETTER = r"[\u4e00-\u9fff]"
UNIT = "个條条点时号日月年天周次分秒万千百亿元块套台人位楼折页"
GLUED = re.compile(rf"\s*[#＃]?[lLｌＬ]?\d{{1,9}}(?=(?![{UNIT}]){LETTER})")
"""A number with the words right behind it; 3点 and 12万 are no numbers of leads."""
ONE = re.compile(r"[#＃]?[lLｌＬ]?\d{1,9}(?=[\s,，、]|$)")
MOST_GIVEN = 50
"""Leads that one line gives to somebody."""
SEVERAL = re.compile(
    rf"\s*#?[l]?(\d{{1,6}})(?:\s*[,、和]\s*#?|\s+#?)[l]?(\d{{1,4}})"
    rf"(?=\s*$|[\s,、]+(?![{UNIT}]|[ap]m\b|min|hour|day))",
    re.IGNORECASE,
)
PAGE = re.compile(r"(?:^|\s)(?:第?\s*(\d{1,4})\s*页|(?:page|p)\s*(\d{1,4}))\s*$", re.IGNORECASE)


def _spelling(name: str) -> str:
    """A command of Chinese characters may have blanks inside: 帮 助."""
    return re.escape(name) if name.isascii() else r"\s*".join(name)


SPELLINGS = "|".join(map(_spelling, sorted(BY_NAME, key=len, reverse=True)))
OPENING = re.compile(
    rf"\s*/?\s*(?P<name>{SPELLINGS})(?:\s+|\s*(?P<mark>[:,、;。])\s*|(?=[#l]?\d|第\s*\d)|$)",
    re.IGNORECASE,
)


def _plain(text: str) -> str:
    """Half-width and simplified, character for character, so that places stay places."""
    narrow = (unicodedata.normalize("NFKC", char) for char in text)
    kept = (new if len(new) == 1 else old for new, old in zip(narrow, text, strict=True))
    return "".join(kept).translate(TRADITIONAL)


def with_quote(line: str, quoted: str) -> str:
    """A reply that says nothing itself, or only 录入, is about what it answers."""
    opened = _opened(line)
    bare = not line.strip() or (opened and opened[0].handler is new and not opened[1])
    return f"{line} {quoted}".strip() if bare else line


def _opened(line: str) -> tuple[Command, str] | None:
    """The command a line begins with, and what follows it as it was typed."""
    found = OPENING.match(_plain(line))
    if found is None:
        return None
    command = BY_NAME["".join(found["name"].split()).casefold()]
    rest = line[found.end() :].strip()
    # 「线索：王五 138…」 copied from somewhere is somebody, not a search.
    copied = found["mark"] and command.handler is not new and looks_like_lead(rest)
    return None if copied and not re.match(r"[#＃]?[lL]?\d", rest) else (command, rest)


def begins(line: str) -> bool:
    """Whether the line begins with a command or is a lead: a name in front of it is none of it."""
    number_of_lead = re.fullmatch(r"\s*[#l]?\d{1,9}\s*", _plain(line), re.IGNORECASE)
    return bool(number_of_lead or _opened(line) or looks_like_lead(line))


def understand(line: str) -> Run:
    """The handler for a typed or pressed line, its arguments read. Raises BadCommand."""
    if opened := _opened(line):
        command, rest = opened
        return command.bind(rest)
    name = _plain(_split(line)[0]).lstrip("/").casefold()
    if re.fullmatch(r"[#l]?\d{1,9}", name):
        return BY_NAME["线索"].bind(name)
    if looks_like_lead(line):
        return _offering(line)
    raise BadCommand(_nearest(name, _plain(line)))


def _offering(text: str) -> Run:
    async def run(tx: Tx, by: Member) -> Reply:
        return await offer(tx, by, text)

    return run


def _split(text: str) -> tuple[str, str]:
    """The first word and the rest, whatever blanks the thumb found."""
    parts = text.strip().split(maxsplit=1)
    return (parts[0] if parts else ""), (parts[1].strip() if len(parts) > 1 else "")


def _nearest(name: str, line: str) -> str:
    """The command that was probably meant, and how to write it, of the lead that was named."""
    if not name:
        return "发「帮助」看看能做什么"
    word = re.sub(r"[#l]?\d.*", "", name) or name
    # A word of two characters is half wrong with one slip; a longer one is another word.
    alike = 0.7 if word.isascii() else 0.4
    close = difflib.get_close_matches(word[:20], BY_NAME, n=1, cutoff=alike)
    if not close:
        close = [known for known in BY_NAME if known in name[:40]][:1]
    if not close:
        return f"没听懂「{name[:20]}」，发「帮助」看看能做什么"
    typed = re.search(r"(?<![\d.])\d{1,6}(?![\d.])", line)
    usage = BY_NAME[close[0]].usage
    return (
        f"没听懂「{name[:20]}」，是不是想发：{usage.replace('42', typed[0]) if typed else usage}"
    )
