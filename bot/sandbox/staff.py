"""Who works in the made-up company, as both platforms' directories tell it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.sandbox.state import PlatformName, State

ROOT, SALES, MANAGEMENT, MARKETING = 1, 2, 3, 4
COMPANY = "示例公司"
PLACES = {"rep": SALES, "manager": MANAGEMENT, "marketing": MARKETING}


@dataclass(slots=True)
class Unit:
    """A department."""

    name: str
    parent: int


@dataclass(slots=True)
class Employee:
    """``status``: WeCom's (1 active, 2 disabled, 4 not activated, 5 left)."""

    account: str
    name: str
    units: list[int]
    status: int = 1
    seen: bool = True  # within the app's visible range
    alone: bool = False  # put into that range one by one


@dataclass(slots=True)
class Label:
    """A tag: people, and whole departments."""

    name: str
    accounts: set[str] = field(default_factory=set)
    units: set[int] = field(default_factory=set)


class Staff:
    """One platform's directory. What is changed here changes nothing on the phones."""

    def __init__(self, state: State, platform: PlatformName) -> None:
        self.platform = platform
        self.units = {
            ROOT: Unit(COMPANY, 0),
            SALES: Unit("销售部", ROOT),
            MANAGEMENT: Unit("管理部", ROOT),
            MARKETING: Unit("市场部", ROOT),
        }
        self.people: dict[str, Employee] = {}
        self.labels: dict[int, Label] = {}
        self.hidden: set[int] = set()  # departments outside the app's visible range
        self.opened: set[int] = set()  # labels whose people were put into it
        for phone in state.phones.values():
            if phone.platform == platform and phone.account:
                self.hire(phone.account, phone.name, PLACES.get(phone.role, ROOT))

    def hire(self, account: str, name: str, *units: int) -> Employee:
        person = Employee(account, name, list(units) or [ROOT])
        self.people[account.lower()] = person
        return person

    def dismiss(self, account: str) -> None:
        self.people.pop(account.lower(), None)

    def find(self, account: str) -> Employee | None:
        """Accounts know no case."""
        return self.people.get(account.lower())

    def of(self, unit: int) -> Iterable[Employee]:
        """Those of this department itself, within the visible range."""
        return [p for p in self.people.values() if unit in p.units and self.sees(p)]

    def sees(self, person: Employee) -> bool:
        """Whether the app may know about ``person``."""
        if not person.seen:
            return False
        return (
            person.alone or any(self.open(unit) for unit in person.units) or self._called(person)
        )

    def open(self, unit: int) -> bool:
        """Whether the department is in the range, by itself or by a label."""
        labelled = any(unit in self.labels[label].units for label in self.opened)
        return unit in self.units and (unit not in self.hidden or labelled)

    def _called(self, person: Employee) -> bool:
        return any(person.account.lower() in self.labels[label].accounts for label in self.opened)
