"""Business lines: what an enquiry is about, by the products and the words in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Asks(Protocol):
    """What says what somebody wants: an enquiry, or a lead."""

    @property
    def product(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def keyword(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRule:
    name: str
    products: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


def line_of(asks: Asks, lines: Sequence[LineRule]) -> str:
    """The name of the line: the product decides, else the words; empty when nothing says so."""
    return named(asks.product, lines) or _in_words(f"{asks.message} {asks.keyword}", lines)


def named(text: str, lines: Sequence[LineRule]) -> str:
    """The line of a product, or of its own name."""
    folded = text.casefold()
    if not folded:
        return ""
    fitting = (line for line in lines if _any((line.name, *line.products), folded))
    return next((line.name for line in fitting), "") or _in_words(text, lines)


def _in_words(text: str, lines: Sequence[LineRule]) -> str:
    """Where several lines are named, the one that is named first."""
    folded = text.casefold()
    places = [
        (folded.find(word.casefold()), line.name)
        for line in lines
        for word in (*line.products, *line.keywords)
        if word.casefold() in folded
    ]
    return min(places)[1] if places else ""


def _any(words: Sequence[str], folded: str) -> bool:
    return any(word.casefold() in folded for word in words if word)
