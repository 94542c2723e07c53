"""A line of the doctor's answer."""

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 5
"""Names in one line; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Check:
    """``line`` is what is printed; ``name`` tells the checks apart."""

    name: str
    ok: bool
    line: str


def good(name: str, says: str = "正常") -> Check:
    return Check(name, ok=True, line=f"✓ {name}：{says}")


def bad(name: str, wrong: str, do: str) -> Check:
    return Check(name, ok=False, line=f"✗ {name}：{wrong}，{do}")


def names(people: Sequence[str]) -> str:
    """李雷、韩梅 等 7 人."""
    listed = "、".join(people[:SHOWN])
    return listed if len(people) <= SHOWN else f"{listed} 等 {len(people)} 人"
