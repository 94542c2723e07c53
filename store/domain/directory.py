"""The people a platform's directory shows us, and who of them is in the team."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from store.domain.errors import Alarm
from store.domain.team import Platform, Role

EVERYWHERE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleague:
    """Somebody within the app's visible range.

    ``departments``: the names of theirs and of all above those; ``tags`` WeCom's labels.
    """

    account: str
    name: str
    departments: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A directory as it was at ``at``, when reading it began.

    ``left``: accounts the platform itself says are gone. An account that is in neither
    is unknown, which is no reason to take anything from anybody. ``alarm``: what looks so
    wrong that it was not believed.
    """

    platform: Platform
    at: datetime
    people: Sequence[Colleague]
    left: Collection[str] = ()
    alarm: Alarm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRule:
    """Who has ``role``: everybody of ``department`` and below it, and with ``tag``; "" is anybody's.

    So is the department "*": whose department the app may not know is in that one, too.

    The rest is what a member of the team has besides: what they look after.
    """

    role: Role
    department: str = ""
    tag: str = ""
    regions: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    grade: str = ""
    capacity: int = 50

    def covers(self, person: Colleague) -> bool:
        in_department = self.department in {"", EVERYWHERE, *person.departments}
        return in_department and (not self.tag or self.tag in person.tags)


def rule_for(person: Colleague, rules: Sequence[RoleRule]) -> RoleRule | None:
    """The first rule that covers ``person``; None: not in the team."""
    return next((rule for rule in rules if rule.covers(person)), None)


@dataclass(frozen=True, slots=True)
class Department:
    name: str
    parent: int


@dataclass(slots=True)
class Tree:
    """Departments by id. The visible range may begin anywhere, so a parent may be unknown."""

    departments: Mapping[int, Department]
    _known: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def names(self, ids: Collection[int]) -> tuple[str, ...]:
        """The names of ``ids`` and of everything above them, each once."""
        return tuple(dict.fromkeys(name for id_ in ids for name in self._upwards(id_)))

    def _upwards(self, id_: int) -> tuple[str, ...]:
        if id_ not in self._known:
            self._known[id_] = tuple(self._walk(id_))
        return self._known[id_]

    def _walk(self, id_: int) -> list[str]:
        names: list[str] = []
        passed: set[int] = set()
        while id_ in self.departments and id_ not in passed:
            passed.add(id_)
            names.append(self.departments[id_].name)
            id_ = self.departments[id_].parent
        return names
