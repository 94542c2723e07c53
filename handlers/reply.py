"""What a handler says back."""

from dataclasses import dataclass

from cards.model import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """``told``: the card that was pressed says it already, so a press needs no words.

    ``card`` is sent as a message of its own, for lists and questions. ``asks``: it is
    a question, and a press on it answers it for good. ``private``: not for the group it
    was asked in. ``key``: the card's name, when it will change with what it tells of.
    ``acted``: something was done that has to be said in words.
    """

    text: str = ""
    card: Card | None = None
    asks: bool = False
    told: bool = False
    private: bool = False
    refused: bool = False
    acted: bool = False
    key: str = ""
