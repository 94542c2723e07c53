"""A card, before any platform has seen it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Button:
    """A button is a command somebody typed for you: pressing it sends ``line``."""

    text: str
    line: str
    primary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One thing to know and what to do about it, read in two seconds.

    ``title`` says what to do; ``note`` until when; ``rows`` at most six name/value
    pairs; ``quote`` the prospect's own words; ``why`` why it came to this reader;
    ``buttons`` at most four, the wanted one first.
    """

    title: str
    note: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    quote: str = ""
    why: str = ""
    buttons: tuple[Button, ...] = ()
