"""A lead somebody pastes into the chat."""

import re

from handlers.announce import record
from handlers.assign import went
from handlers.capture import capture
from handlers.known import where
from handlers.reply import Reply
from store.db import Tx
from store.domain.emails import read_email
from store.domain.errors import BadCommand
from store.domain.intake import BadFields, read_fields
from store.domain.lead import Lead
from store.domain.names import SURNAMES
from store.domain.newlead import NewLead
from store.domain.phones import all_phones
from store.domain.regions import place_named
from store.domain.team import Member, Role

EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
WECHAT = re.compile(
    r"(?:微信号?|wechat|wx)\s*[:：]?\s*([A-Za-z][A-Za-z0-9_-]{4,29})", re.IGNORECASE
)
COMPANY = re.compile(
    r"[\u4e00-\u9fffA-Za-z0-9（）()]{2,40}?(?:公司|集团|工厂|厂|店|学校|医院|中心)"
)
FIRM = ("公司", "集团")
WISH = re.compile(
    r"想|要|需|买|采购|求购|咨询|询|了解|安装|搭建|打算|准备|希望|考虑|对接|报价|推荐|介绍|了|今天|明天|昨天"
)
PRODUCT = re.compile(
    r".{0,4}?(?:呼叫|客服|联络|坐席|座席|数据|用户|会员|短信|消息|网|开|到|进)(?:中心|店|厂)"
)
NAME = re.compile(
    r"(?P<label>(?:客户)?(?:姓名|名称)|联系人|客户|我叫|我是|叫做?)(?P<mark>\s*[:：]\s*|\s*)"
    r"(?P<name>[\u4e00-\u9fff·]{2,12})"
)
CALLED = re.compile(r"(?:免贵)?姓(?!名|氏)(?P<name>[\u4e00-\u9fff])")
PERSON = re.compile(rf"(?:[小老阿])?(?:{SURNAMES})[\u4e00-\u9fff·]{{0,3}}")
NO_NAME = re.compile(
    rf"{WISH.pattern}|打|来|去|在|说|问|的|了|是|有|没|吗|呢|电话|手机|微信|方案|项目|系统|公司|客户|先谈|刚|用|做|看"
)
NUMBER = re.compile(r"\+?\d[\d -]{5,}\d")
PIECES = re.compile(r"[\s,，;；、|/]+")
EXAMPLE = "录入 王五 13800138000 想要报价"


async def new(tx: Tx, by: Member, text: str) -> Reply:
    """Whoever types it is the one it goes to, if they sell and it is nobody's yet."""
    lead = read_sentence(text, by)
    [captured] = await capture(tx, [lead])
    stored = await tx.leads.get(captured.id)
    known = f"已有这位客户{where(tx, stored, by)}" if captured.duplicate else ""
    if stored.offered and stored.owned_by(by):
        await record(tx, stored.accept(by, tx.now))
        return Reply(text=f"{known or f'#{stored.id} 已记下'}，归你跟{_doubt(stored)}", told=True)
    if known:
        return Reply(text=f"{known}，这次的需求补进去了", told=True)
    return Reply(text=f"#{stored.id} 已记下，{went(stored, '分给了')}{_doubt(stored)}", told=True)


def _doubt(lead: Lead) -> str:
    return "；和一位已有客户有点像，等核对" if lead.doubles else ""


def checked(text: str) -> NewLead:
    """Who is asked about, out of whatever was typed. Raises BadCommand."""
    return read_text(text, "查重 13800138000")


def read_sentence(text: str, by: Member) -> NewLead:
    """A lead out of a pasted sentence, for the rep who pasted it. Raises BadCommand."""
    return read_text(text, EXAMPLE, rep=by.name if by.role == Role.REP else "")


def read_text(text: str, example: str, rep: str = "") -> NewLead:
    """Name, phone, e-mail, WeChat and company out of a sentence. Raises BadCommand."""
    values: dict[str, object] = {"message": text, "rep": rep}
    phones = all_phones(text)
    email = EMAIL.search(text)
    wechat = WECHAT.search(text)
    if phones:
        values["phone"] = phones[0].e164
    if email and read_email(email[0]):
        values["email"] = email[0]
    if wechat:
        values["wechat"] = wechat[1]
    values["company"] = _company(text)
    values["name"] = _name(text)
    values["region"] = place_named(text)
    try:
        return read_fields(values, "chat")
    except BadFields as bad:
        reasons = "；".join(bad.problems.values())
        raise BadCommand(f"{reasons}。例如：{example}") from None


def _company(text: str) -> str:
    """A 公司 or 集团 is one; a 中心, 店 or 厂 only when it is not what is wanted."""
    found = (match[0] for match in COMPANY.finditer(NUMBER.sub(" ", text)))
    return next((name for name in found if name.endswith(FIRM) or not _wanted(name)), "")


def _wanted(name: str) -> bool:
    return bool(WISH.search(name) or PRODUCT.fullmatch(name))


def _name(text: str) -> str:
    """After 姓名, 联系人 or 姓, else the first piece that looks like a name."""
    bare = NUMBER.sub(" ", text)
    for labelled in NAME.finditer(bare):
        if name := _labelled(labelled):
            return name
    if called := CALLED.search(bare):
        return called["name"]
    pieces = [piece for piece in PIECES.split(bare) if _may_be_name(piece)]
    return next(filter(PERSON.match, pieces), pieces[0] if pieces else "")


def _labelled(found: re.Match[str]) -> str:
    """What stands before 想, 打, 来 …; with no colon it must begin with a surname."""
    name = NO_NAME.split(found["name"])[0]
    named = found["mark"].strip() or PERSON.fullmatch(name)
    return name if named and 2 <= len(name) <= 6 else ""


def _may_be_name(piece: str) -> bool:
    if re.fullmatch(r"[A-Z][a-z]+", piece):
        return True
    han = re.fullmatch(r"[\u4e00-\u9fff·]{2,4}(?:先生|女士|总|经理)?", piece)
    return bool(han) and not (NO_NAME.search(piece) or place_named(piece) or COMPANY.search(piece))
