"""Logging in by a platform: what the pages need of each, whichever it is."""

from typing import Protocol

from store.domain.errors import LeadbotError
from store.domain.team import Platform


class LoginRefused(LeadbotError):
    """The platform does not say that this is one of its members."""


class LoginProvider(Protocol):
    """One platform's way from a browser to a member's account."""

    @property
    def platform(self) -> Platform: ...

    def recognises(self, user_agent: str) -> bool:
        """Whether this browser is the platform's own."""

    def start(self, back: str, state: str) -> str:
        """Where the browser is sent; it comes ``back`` with ``code`` and ``state``.

        ``state``: at most 128 letters and digits.
        """

    async def account(self, code: str) -> str:
        """Whose code it is; whether they are in the team is not asked here.

        Raises LoginRefused, Later or Undeliverable.
        """
