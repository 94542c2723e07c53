"""A lead somebody pastes into the chat."""

import re

from cards.words import span
from handlers.announce import record
from handlers.capture import capture
from handlers.reply import Reply
from store.db import Tx
from store.domain.emails import read_email
from store.domain.errors import BadCommand
from store.domain.intake import BadFields, read_fields
from store.domain.lead import STAGES, may_see
from store.domain.newlead import NewLead
from store.domain.phones import all_phones
from store.domain.team import Member, Role

EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
WECHAT = re.compile(
    r"(?:微信号?|wechat|wx)\s*[:：]?\s*([A-Za-z][A-Za-z0-9_-]{4,29})", re.IGNORECASE
)
COMPANY = re.compile(
    r"[\u4e00-\u9fffA-Za-z0-9（）()]{2,40}?(?:公司|集团|工厂|厂|店|学校|医院|中心)"
)
NAME = re.compile(
    r"(?:(?:客户)?(?:姓名|名称)|联系人|客户|我叫|我是)\s*[:：]?\s*([\u4e00-\u9fff·]{2,6})"
)
PIECES = re.compile(r"[\s,，;；、|/]+")
EXAMPLE = "录入 王五 13800138000 想要报价"


async def new(tx: Tx, by: Member, text: str) -> Reply:
    """Whoever types it is the one it goes to, if they sell and it is nobody's yet."""
    lead = read_sentence(text, by)
    [captured] = await capture(tx, [lead])
    stored = await tx.leads.get(captured.id)
    if captured.duplicate:
        return Reply(text=_known(stored.id, await where(tx, stored.id, by)), told=True)
    if stored.offered and stored.owned_by(by):
        await record(tx, stored.accept(by, tx.now))
        return Reply(text=f"#{stored.id} 已记下，归你跟", told=True)
    return Reply(text=f"#{stored.id} 已记下，{_went(stored.owner)}", told=True)


def _went(owner: Member | None) -> str:
    return f"分给了 {owner.name}" if owner else "已请主管分配"


def _known(lead_id: int, where: str) -> str:
    return f"已有这位客户 #{lead_id}，{where}，这次的需求补进去了"


async def where(tx: Tx, lead_id: int, by: Member) -> str:
    """Says who has it and how fresh it is, nothing of the person."""
    lead = await tx.leads.get(lead_id)
    if lead.owner is None:
        return "在公海" if lead.place == "pool" else "在市场培育"
    last = lead.followed_at or lead.contacted_at
    when = f"{span(tx.now - last)}前联系过" if last else "还没联系"
    stage = f"，{STAGES[lead.stage]}" if may_see(lead, by) else ""
    return f"在 {lead.owner.name} 那里，{when}{stage}"


def read_sentence(text: str, by: Member) -> NewLead:
    """Name, phone, e-mail, WeChat and company out of a pasted sentence. Raises BadCommand."""
    values: dict[str, object] = {"message": text}
    phones = all_phones(text)
    email = EMAIL.search(text)
    wechat = WECHAT.search(text)
    company = COMPANY.search(text)
    if phones:
        values["phone"] = phones[0].e164
    if email and read_email(email[0]):
        values["email"] = email[0]
    if wechat:
        values["wechat"] = wechat[1]
    if company:
        values["company"] = company[0]
    values["name"] = _name(text)
    if by.role == Role.REP:
        values["rep"] = by.name
    try:
        return read_fields(values, "chat")
    except BadFields as bad:
        reasons = "；".join(bad.problems.values())
        raise BadCommand(f"{reasons}。例如：{EXAMPLE}") from None


def _name(text: str) -> str:
    """After 姓名 or 联系人, else the first piece that looks like a name."""
    labelled = NAME.search(text)
    if labelled:
        return labelled[1]
    for piece in PIECES.split(text):
        if re.fullmatch(r"[\u4e00-\u9fff·]{2,4}(?:先生|女士|总|经理)?", piece):
            return piece
        if re.fullmatch(r"[A-Z][a-z]+", piece):
            return piece
    return ""
