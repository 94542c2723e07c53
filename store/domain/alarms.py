"""An alarm that is on: whose account it is about, who was told, and what shows that it is over."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from store.domain.team import Channel

STOPS = {"dingtalk.calls": "dingtalk", "wecom.app": "wecom"}
"""What is used up and the channel that stops with it."""
PLATFORMS = frozenset({"wecom", "dingtalk"})
"""The channels whose accounts are those of members."""
WHOSE = "@"
"""``wecom:81013@lilei`` is about one account; the others' messages do not end it."""


@dataclass(frozen=True, slots=True)
class Told:
    """A message that told it: its key in the outbox, and where it went."""

    key: str
    channel: Channel
    account: str
    member_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An alarm that is on. ``told_at``: None until somebody has been told."""

    key: str
    text: str
    since: datetime
    seen_at: datetime
    told_at: datetime | None = None
    told: tuple[Told, ...] = ()

    @property
    def channel(self) -> str:
        """The channel it is about, as far as it is about one."""
        return self.key.partition(":")[0]

    @property
    def stops(self) -> tuple[str, str]:
        """The channel that does not work, and for whose account; "": for all."""
        return STOPS.get(self.channel, self.channel), self.account.lower()

    @property
    def about(self) -> str:
        """Its key without whose account it is about."""
        return self.key.partition(WHOSE)[0]

    @property
    def account(self) -> str:
        """The one account it is about; "": all."""
        return self.key.partition(WHOSE)[2]

    def is_of(self, channels: Collection[str]) -> bool:
        """Whether it is about one of ``channels``, or about a side of WeCom or of DingTalk."""
        platform = self.channel.partition("_")[0].partition(".")[0]
        sides = platform in channels and platform != self.channel
        return self.channel in channels or sides

    def is_of_a_stranger(self, accounts: Collection[tuple[str, str]]) -> bool:
        """Whether it is about one person's account, and about none of ``accounts``."""
        about_one = bool(self.account) and self.channel in PLATFORMS
        return about_one and (self.channel, self.account.lower()) not in accounts

    def ended_by(self, prefixes: tuple[str, ...], account: str) -> bool:
        """Whether a success under ``prefixes``, for ``account``, shows that it is over."""
        mine = self.account.lower() in {"", account.lower()}
        return self.about.startswith(prefixes) and mine
