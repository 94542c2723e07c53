"""Corp tags: groups of names with ids (D:92117)."""

from collections.abc import Iterable
from typing import Any

from bot.sandbox.wecom.api import Call
from bot.sandbox.wecom.errors import No

NAME_CHARS = 30
PREFIX = "et"


class Tags:
    def __init__(self) -> None:
        self._groups: dict[str, dict[str, str]] = {}  # group → name → id

    def known(self, ids: Iterable[str]) -> bool:
        every = {tag_id for group in self._groups.values() for tag_id in group.values()}
        return set(ids) <= every

    def shown(self, tag_id: str) -> dict[str, Any]:
        """A tag as externalcontact/get shows it."""
        for group, names in self._groups.items():
            for name, known in names.items():
                if known == tag_id:
                    return {"group_name": group, "tag_name": name, "tag_id": tag_id, "type": 1}
        return {"group_name": "", "tag_name": "", "tag_id": tag_id, "type": 1}

    def delete(self, name: str) -> None:
        """Somebody deletes the tag in the console."""
        for group in self._groups.values():
            group.pop(name, None)

    def listed(self, call: Call) -> dict[str, Any]:
        return {"tag_group": [self._group(name) for name in self._groups]}

    def add(self, call: Call) -> dict[str, Any]:
        """Tags for a group, which is made if there is none of that name."""
        group, names = str(call.body.get("group_name") or ""), _names(call)
        if not group:
            raise No(40058, "invalid Request Parameter: group_name")
        held = self._groups.get(group, {})
        if len(set(names)) < len(names) or set(names) & set(held):
            raise No(40071, "tag name already exists")
        new = {name: f"{PREFIX}{self._count() + n}" for n, name in enumerate(names, 1)}
        self._groups[group] = held | new
        made = self._group(group)
        made["tag"] = [tag for tag in made["tag"] if tag["name"] in new]
        return {"tag_group": made}

    def _count(self) -> int:
        return sum(len(group) for group in self._groups.values())

    def _group(self, group: str) -> dict[str, Any]:
        tags = [
            {"id": tag_id, "name": name, "order": 0}
            for name, tag_id in self._groups[group].items()
        ]
        return {"group_id": f"{PREFIX}-{group}", "group_name": group, "order": 0, "tag": tags}


def _names(call: Call) -> list[str]:
    tags = call.body.get("tag")
    if not isinstance(tags, list) or not tags:
        raise No(40063, "some parameters are empty: tag")
    names = [str(tag.get("name") or "") if isinstance(tag, dict) else "" for tag in tags]
    if not all(0 < len(name) <= NAME_CHARS for name in names):
        raise No(40058, "invalid Request Parameter: tag.name")
    return names
