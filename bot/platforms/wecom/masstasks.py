"""企业群发 tasks that may have been made although nobody heard so (D:93338)."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from bot.platforms.wecom.client import WeComClient, WeComError
from store.domain.errors import Later
from store.outbox import Due

LIST = "externalcontact/get_groupmsg_list_v2"
RESULT = "externalcontact/get_groupmsg_send_result"
BY_THE_CORP = 0
SKEW = timedelta(minutes=10)  # between WeCom's clock and ours
LONGEST = timedelta(days=30)  # WeCom lists no more than a month at once
PAGE = 100
PAGES = 20
DISPATCHED_LATER = 41063
"""Right after a task was made nobody can say yet whom it is for."""
DISPATCH = timedelta(seconds=10)


async def already_made(client: WeComClient, due: Due, now: datetime) -> str:
    """The msgid of the task that an unanswered try of ``due`` has made; "" when it made none.

    Raises Later while it is being dispatched, and otherwise as ``client.call``.
    """
    text = (due.payload.get("text") or {}).get("content")
    async for task in _since(client, (due.put_at or now) - SKEW, now + SKEW):
        # Who made it is not said of what was made by a call; the words and the reader tell.
        if (task.get("text") or {}).get("content") == text and await _is_for(client, due, task):
            return str(task.get("msgid", ""))
    return ""


async def _since(
    client: WeComClient, start: datetime, end: datetime
) -> AsyncIterator[dict[str, Any]]:
    since = max(start, end - LONGEST)
    body: dict[str, Any] = {
        "chat_type": "single",
        "start_time": int(since.timestamp()),
        "end_time": int(end.timestamp()),
        "filter_type": BY_THE_CORP,
        "limit": PAGE,
    }
    for _ in range(PAGES):
        answer = await client.call(LIST, body)
        for task in answer.get("group_msg_list") or ():
            yield task
        body["cursor"] = answer.get("next_cursor") or ""
        if not body["cursor"]:
            return


async def _is_for(client: WeComClient, due: Due, task: dict[str, Any]) -> bool:
    asked = {"msgid": task.get("msgid"), "userid": due.payload.get("sender", "")}
    try:
        answer = await client.call(RESULT, asked)
    except Later as later:
        if str(DISPATCHED_LATER) not in str(later):
            raise
        raise Later(str(later), DISPATCH) from None
    except WeComError:  # it is another member's
        return False
    return any(one.get("external_userid") == due.account for one in answer.get("send_list") or ())
