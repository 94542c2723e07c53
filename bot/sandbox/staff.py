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
        return [p for p in self.people.values() if unit in p.units and p.seen]
