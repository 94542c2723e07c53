"""
Every error the application raises on purpose.

* LeadbotError
  x Refused            the rules say no; the text is shown to the person who asked
    + NotFound
    + NotYours
    + AlreadyTaken
      . AlreadyOffered
    + NotAllowed
    + BadCommand
  x Stale              somebody else changed the lead first; run the handler again
  x Later              a platform cannot take it now; the relay tries again
    + Anew             the message that is there cannot be changed; a new one is due
    + Spent            the allowance of the day or month is used up
    + Held             nobody was asked: the platform wants no such call now
    + Lost             no answer came, and it may have been done
    + Down             no answer, or one that says the platform is not well
  x Undeliverable      a platform will never take it; the relay gives up
  x BadCallback        a request that claims to come from a platform and does not
  x ConfigError        the configuration is wrong; every mistake at once
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


class LeadbotError(Exception):
    pass


class Refused(LeadbotError):
    """The rules say no. ``str(error)`` is shown to the person who asked."""


class NotFound(Refused):
    def __init__(self, lead_id: int) -> None:
        super().__init__(f"没有 #{lead_id} 这条线索，发「我的」看看手上有哪些")


class NotYours(Refused):
    def __init__(self, lead_id: int, owner: str | None = None) -> None:
        whose = f"在 {owner} 名下" if owner else "现在没有人负责，先发「领取 {lead_id}」"
        super().__init__(f"#{lead_id} {whose.format(lead_id=lead_id)}")


class AlreadyTaken(Refused):
    def __init__(self, lead_id: int, owner: str) -> None:
        super().__init__(f"#{lead_id} 已被 {owner} 领取，发「公海」看看其他的")
        self.owner = owner


class AlreadyOffered(AlreadyTaken):
    """It moved on: somebody else has it in front of them, and has yet to say yes."""

    def __init__(self, lead_id: int, owner: str) -> None:
        super().__init__(lead_id, owner)
        self.args = (f"#{lead_id} 已转给 {owner}，在等对方接受",)


class NotAllowed(Refused):
    pass


class BadCommand(Refused):
    pass


class Stale(LeadbotError):
    """Somebody else changed the lead first; run the handler again."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something only the admin can mend: ``key`` tells one from another, ``text`` is for their phone.

    The text is short Chinese: what is true now, and what to do about it.
    """

    key: str
    text: str


class Later(LeadbotError):
    """A platform cannot take it now. ``after`` is how long to wait; None: the relay's back-off.

    ``alarm``: it will not take it before somebody mends something. ``ref``: what the next
    try has to know of this one, kept as the message's reference.
    """

    ref: dict[str, Any] | None = None
    unsent = False
    """Whether the platform threw it back unread, so that it was no message to anybody."""
    down = False
    """Whether the platform is not well, so that the next message would fare no better."""

    def __init__(
        self, why: str, after: timedelta | None = None, alarm: Alarm | None = None
    ) -> None:
        super().__init__(why)
        self.after = after
        self.alarm = alarm


class Anew(Later):
    """The message that is there can no longer be changed; a new one has to be sent, and counted."""

    def __init__(self, why: str) -> None:
        super().__init__(why, timedelta(0))


class Spent(Later):
    """The allowance of the day or month is used up. ``after``: until it begins anew."""


class Held(Later):
    """Nobody was asked: the platform has said before that it wants no such call until ``after``."""


class Lost(Later):
    """The platform was asked and did not answer: it may have done it, or not."""

    down = True


class Down(Later):
    """Nobody answered, or an answer that only says that the platform is not well."""

    down = True


class Undeliverable(LeadbotError):
    """A platform will never take it as it is; trying again would change nothing.

    ``alarm``: somebody has to know, or the next ones will go the same way.
    """

    def __init__(self, why: str, alarm: Alarm | None = None) -> None:
        super().__init__(why)
        self.alarm = alarm


class BadCallback(LeadbotError):
    """A request that claims to come from a platform and does not, or is broken on the way.

    ``status`` is the HTTP status to answer: 401 for a wrong signature, 400 for
    everything else.
    """

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


class ConfigError(LeadbotError):
    """Every mistake of the configuration at once, one line each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)
