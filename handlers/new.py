"""A lead somebody pastes into the chat."""

from handlers.announce import record
from handlers.assign import went
from handlers.capture import capture
from handlers.known import where
from handlers.reply import Reply
from store.db import Tx
from store.domain.errors import BadCommand
from store.domain.intake import BadFields, read_fields
from store.domain.lead import Lead
from store.domain.newlead import NewLead
from store.domain.sentence import read_values
from store.domain.team import Member, Role

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
    """Whoever a sentence is about, and how to reach them. Raises BadCommand."""
    try:
        return read_fields({**read_values(text), "message": text, "rep": rep}, "chat")
    except BadFields as bad:
        reasons = "；".join(bad.problems.values())
        raise BadCommand(f"{reasons}。例如：{example}") from None
