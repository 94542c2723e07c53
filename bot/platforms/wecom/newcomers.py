"""Who has become a contact lately, asked of WeCom: not every callback arrives (D:90930)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.platforms.wecom.client import WeComClient, WeComError
from bot.platforms.wecom.errcodes import NO_RELATION
from handlers.contacts import Met
from store.domain.errors import Later

LIST = "externalcontact/batch/get_by_user"
PAGE = 100
"""Members asked about, and contacts told, in one call (D:92114)."""
MOST_PAGES = 2000
"""More than a hundred members can have, so that a cursor that repeats ends, too."""


@dataclass(frozen=True, slots=True)
class Newcomers:
    client: WeComClient

    async def since(self, userids: Sequence[str], at: datetime) -> Sequence[Met]:
        """The contacts these members have made since ``at``. Raises Later or Undeliverable."""
        found = []
        for begin in range(0, len(userids), PAGE):
            async for entry in self._all(userids[begin : begin + PAGE]):
                met = _met(entry)
                if met is not None and met.at is not None and met.at >= at:
                    found.append(met)
        return found

    async def _all(self, userids: Sequence[str]) -> AsyncIterator[Mapping[str, Any]]:
        cursor = ""
        for _ in range(MOST_PAGES):
            body = {"userid_list": list(userids), "cursor": cursor, "limit": PAGE}
            try:
                answer = await self.client.call(LIST, body)
            except WeComError as error:
                if error.code == NO_RELATION:  # none of them has a contact
                    return
                raise
            entries = answer.get("external_contact_list")
            if not isinstance(entries, list):
                raise Later(f"{LIST}: an answer without a list")
            for entry in entries:
                if isinstance(entry, dict):
                    yield entry
            cursor = str(answer.get("next_cursor") or "")
            if not cursor:
                return


def _met(entry: Mapping[str, Any]) -> Met | None:
    contact, follow = entry.get("external_contact"), entry.get("follow_info")
    if not isinstance(contact, dict) or not isinstance(follow, dict):
        return None
    external, userid = str(contact.get("external_userid") or ""), str(follow.get("userid") or "")
    try:
        at = datetime.fromtimestamp(int(follow["createtime"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
    if not external or not userid:
        return None
    return Met(
        external_userid=external, userid=userid, state=str(follow.get("state") or ""), at=at
    )
