"""A line of the doctor's answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 5
"""Names in one line; the rest is counted."""


NO_WAY = re.compile(r"(?:^|: )[A-Za-z]*(?:Error|Timeout|Disconnected)$")
"""How our clients end their text when nothing answered at all."""
CODE = re.compile(r": ((?:HTTP )?-?\d+)(?:,|$)")
"""What the platform, or who stands before it, has answered."""


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


def unreached(error: Exception) -> bool:
    """Nothing answered: that is the network, and not a platform that is busy."""
    return bool(NO_WAY.search(str(error)))


def unknown(name: str, error: Exception) -> Check:
    """The platform is busy, so that its answer says nothing of what was asked."""
    return bad(name, f"平台忙，现在看不出来{why(error)}", "稍后再运行一次")


def why(error: Exception) -> str:
    """（45009）, （HTTP 500）, （没有回答）: as much as can be said without the client's own words."""
    found = CODE.search(str(error))
    if found is not None:
        return f"（{found[1]}）"
    if not unreached(error):
        return ""
    return "（没有回答）" if str(error).endswith("TimeoutError") else "（连不上）"
