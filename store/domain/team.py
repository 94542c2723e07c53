"""The people of the sales team, as the configuration and the platforms know them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

MemberId = NewType("MemberId", int)
Away = tuple[datetime, datetime]
"""From the first instant to the one that is no longer away; both aware."""


class Platform(StrEnum):
    WECOM = "wecom"
    DINGTALK = "dingtalk"


class Channel(StrEnum):
    """Where a message of the outbox goes to; each has its own sender."""

    WECOM = "wecom"  # a member's chat with our WeCom app; account = userid
    WECOM_GROUP = "wecom_group"  # a WeCom group robot; account = "" (the configured webhook)
    WECOM_CONTACT = "wecom_contact"  # ask who an external contact is; account = external_userid
    WECOM_MASS = "wecom_mass"  # a 企业群发 task to one contact; account = external_userid
    WECOM_WELCOME = "wecom_welcome"  # the first words to a contact; account = external_userid
    WECOM_PROFILE = "wecom_profile"  # remark and tag of a contact; account = external_userid
    WECOM_WAY = "wecom_way"  # make a 渠道活码 or 获客链接; account = the channel's name
    DINGTALK = "dingtalk"  # a member's chat with our DingTalk bot; account = staffId
    DINGTALK_GROUP = "dingtalk_group"  # account = openConversationId, "" = the configured webhook
    DINGTALK_TODO = "dingtalk_todo"  # a to-do entry of a member; account = staffId
    DINGTALK_FORM = "dingtalk_form"  # fetch an approval; account = its instance id
    MAIL = "mail"  # a prospect's mailbox; account = the address


class Role(StrEnum):
    REP = "rep"
    MANAGER = "manager"
    MARKETING = "marketing"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    id: MemberId
    name: str
    role: Role
    wecom: str | None = None
    dingtalk: str | None = None
    regions: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    grade: str = ""
    capacity: int = 50
    weight: int = 1  # turns for each one of somebody with 1
    active: bool = True
    source: str = "config"  # who brought them: the configuration, or a platform's directory
    departments: tuple[str, ...] = ()
    away: tuple[Away, ...] = ()
    """Leave, past and coming: in order, apart from each other."""

    @property
    def phone(self) -> tuple[Channel, str] | None:
        """Where this member's cards go: one phone, so that one thing is one card."""
        if self.wecom:
            return Channel.WECOM, self.wecom
        if self.dingtalk:
            return Channel.DINGTALK, self.dingtalk
        return None

    @property
    def manages(self) -> bool:
        return self.role in {Role.MANAGER, Role.ADMIN}

    def back_at(self, at: datetime) -> datetime | None:
        """When somebody who is away at ``at`` is back; None: they are here."""
        return next((end for start, end in self.away if start <= at < end), None)

    def came_back(self, at: datetime) -> datetime | None:
        """When the newest leave before ``at`` was over; None: there was none lately."""
        return max((end for _, end in self.away if end <= at), default=None)

    def leaves_at(self, at: datetime) -> datetime | None:
        """When the next leave after ``at`` begins."""
        return next((start for start, _ in self.away if start > at), None)


def off_duty(member: Member, at: datetime) -> str | None:
    """Why nothing may be given to ``member`` at ``at``, as it is told; None: it may."""
    if not member.active:
        return "不在团队里了"
    return "请假中" if member.back_at(at) is not None else None


def joined(spans: Iterable[Away]) -> tuple[Away, ...]:
    """The spans in order, those that touch made one."""
    kept: list[Away] = []
    for start, end in sorted(spans):
        if kept and start <= kept[-1][1]:
            kept[-1] = kept[-1][0], max(kept[-1][1], end)
        else:
            kept.append((start, end))
    return tuple(kept)
