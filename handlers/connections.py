"""Connections that wait for a person: after a kick nothing connects by itself."""

from handlers.reply import Reply
from store.db import Tx
from store.domain.team import Member

KICKED = "aibot:kicked"


async def reconnect(tx: Tx, by: Member, _: str) -> Reply:
    """The other program is stopped, says the admin: take the AI bot's connection again.

    Who is kicked out once more is told once more.
    """
    if not await tx.connections.again():
        return Reply(text="智能机器人没有被连走，不用重连")
    await tx.alarms.end(KICKED)
    return Reply(text="好，这就重新连，再被连走会告诉你")
