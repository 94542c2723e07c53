"""The one place that knows everybody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from aiohttp import ClientSession, TCPConnector, web

from bot import (
    keys,
    routes_api,
    routes_app,
    routes_hooks,
    routes_login,
    routes_ops,
    routes_platforms,
    routes_public,
)
from bot.config import DingTalk, Settings
from bot.dispatch import arrived, hand_over_answer, hear
from bot.gather import Gatherer
from bot.incoming import Answer, Heard, Incoming
from bot.platforms.dingtalk.approval import ApprovalReader
from bot.platforms.dingtalk.bell import Bell
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.directory import DingTalkDirectory
from bot.platforms.dingtalk.http import DingTalkHttp
from bot.platforms.dingtalk.login import DingTalkLogin
from bot.platforms.dingtalk.pace import SharedWindow
from bot.platforms.dingtalk.sender import DingTalkGroupSender, DingTalkSender
from bot.platforms.dingtalk.stream import DingTalkStream
from bot.platforms.dingtalk.todo import TodoSender
from bot.platforms.login import LoginProvider
from bot.platforms.mail import MailSender
from bot.platforms.shared import SharedClaim, SharedHolds, SharedTokens
from bot.platforms.wecom.aibot import AiBot, Beside, claim_name
from bot.platforms.wecom.aibot_pace import SharedRoom
from bot.platforms.wecom.callback import WeComCallback
from bot.platforms.wecom.client import WeComClient
from bot.platforms.wecom.contacts import ProfileSender, StageTags, WaySender, WelcomeSender
from bot.platforms.wecom.directory import WeComDirectory
from bot.platforms.wecom.jssdk import JsSdk
from bot.platforms.wecom.login import WeComLogin
from bot.platforms.wecom.menu import keep_published
from bot.platforms.wecom.newcomers import Newcomers
from bot.platforms.wecom.sender import AppSender, ContactLookup, GroupSender, MassSender
from bot.versions import ruled
from bot.wiring import channels, rules, team
from handlers import alarms, contacts, people, quota, ways
from handlers.approval import agreed
from handlers.capture import found
from handlers.people import hand_over
from jobs.directory import Following, Reader
from jobs.newcomers import CatchUp
from jobs.relay import Relay, Sender
from jobs.scheduler import Clockwork
from jobs.tally import Tally
from store.db import Clock, Store, Tx, open_store, utcnow
from store.domain.errors import Alarm
from store.domain.match import Key
from store.domain.newlead import NewLead
from store.domain.team import Channel, Platform

log = structlog.get_logger()
T = TypeVar("T")
RELAY = "relay"
DIRECTORY = "directory"
NEWCOMERS = "newcomers"
DRAIN = 5.0
"""Seconds that messages on their way get to land when the process is asked to stop."""


@dataclass(slots=True)
class Service:
    """Everything that runs: what listens, what sends, what ticks."""

    settings: Settings
    store: Store
    session: ClientSession
    relay: Relay
    clockwork: Clockwork
    following: Following
    gatherer: Gatherer
    tally: Tally
    wecom: WeComClient | None = None
    dingtalk: DingTalkClient | None = None
    stream: DingTalkStream | None = None
    aibot: AiBot | None = None
    newcomers: CatchUp | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def hear(self, heard: Heard) -> None:
        await self.answer(heard)

    async def answer(self, heard: Heard) -> Answer:
        answer = await hear(self.store, heard)
        self.relay.wake()
        return answer

    def start(self, name: str, run: Callable[[], Any]) -> None:
        self.tasks.append(asyncio.create_task(run(), name=name))

    async def arrived(self, answer: Answer, pressed: Incoming | None) -> None:
        await arrived(self.store, answer, pressed)

    async def settle(self) -> None:
        """Do everything that is due now, and what becomes due by it."""
        await self.clockwork.beat()
        await self.following.step()
        await self.relay.drain()


@asynccontextmanager
async def open_service(
    settings: Settings, clock: Clock = utcnow, role: str = "all"
) -> AsyncIterator[Service]:
    """The running service. ``role``: "web" listens, "worker" sends and ticks, "all" does both."""
    async with (
        open_store(settings.database.url, rules(settings), clock) as opened,
        ClientSession(connector=TCPConnector(limit=0)) as session,
    ):
        store = await ruled(opened, settings)
        async with store.begin() as tx:
            await tx.members.sync(team(settings))
            await alarms.outlived(tx, channels(settings))
            await quota.try_again(tx)
            if not settings.directory.sync:  # who is in no configuration may be in that
                await hand_over(tx)
        service = _assemble(settings, store, session)
        await _ask_once_more(service)
        async with _running(service, role):
            yield service


async def _ask_once_more(service: Service) -> None:
    """Whoever restarts has mended something; a program that dies again and again has not."""
    tick = service.store.clock().replace(second=0, microsecond=0)
    async with service.store.begin() as tx:
        first = await tx.ticks.first("restart", tick.replace(minute=tick.minute // 10 * 10))
    if first and service.wecom is not None:
        await service.wecom.try_again()


def _assemble(settings: Settings, store: Store, session: ClientSession) -> Service:
    tally = Tally(store)
    wecom, dingtalk = _clients(settings, store, session, tally)
    relay = Relay(store, senders(settings, store, wecom, dingtalk), tally)
    service = Service(
        settings=settings,
        store=store,
        session=session,
        relay=relay,
        clockwork=Clockwork(store, relay.wake),
        following=Following(store, directories(settings, store, wecom, dingtalk), relay.wake),
        gatherer=Gatherer(store),
        tally=tally,
        wecom=wecom,
        dingtalk=dingtalk,
    )
    if service.following.readers:
        service.clockwork.jobs = (*service.clockwork.jobs, service.following.nightly(store))
    if settings.dingtalk is not None and settings.dingtalk.mode == "stream":
        service.stream = DingTalkStream(
            session,
            settings.dingtalk,
            service.answer,
            service.arrived,
            firewall=dingtalk.firewall if dingtalk else None,
            bell=_bell(store),
            spend=tally.add,
        )
    service.aibot = _aibot(service)
    if wecom is not None:
        service.newcomers = CatchUp(store, Newcomers(wecom), relay.wake)
    return service


def _aibot(service: Service) -> AiBot | None:
    """The connection of the AI bot, which of all processes one holds."""
    wecom = service.settings.wecom
    if wecom is None or wecom.aibot is None:
        return None
    claim = SharedClaim(service.store, claim_name(wecom.aibot))
    return AiBot(
        service.session,
        wecom.aibot,
        wecom.corp_id,
        service.answer,
        claim,
        beside=_beside(service),
    )


def _beside(service: Service) -> Beside:
    store = service.store

    async def lost(heard: Incoming, body: Mapping[str, Any]) -> None:
        await hand_over_answer(store, heard, dict(body))
        service.relay.wake()

    async def sound(alarm: Alarm) -> None:
        async with store.begin() as tx:
            await alarms.sound(tx, alarm)
        service.relay.wake()

    async def over() -> None:
        async with store.begin() as tx:
            await alarms.over(tx, "aibot:")
        service.relay.wake()

    return Beside(room=SharedRoom(store), lost=lost, sound=sound, over=over)


def _clients(
    settings: Settings, store: Store, session: ClientSession, tally: Tally
) -> tuple[WeComClient | None, DingTalkClient | None]:
    """One client per platform, whose token is also every other process's."""
    tokens, wecom, dingtalk = SharedTokens(store), settings.wecom, settings.dingtalk
    return (
        WeComClient(session, wecom, store.clock, tokens, SharedHolds(store)) if wecom else None,
        DingTalkClient(session, dingtalk, store.clock, tokens, tally.add, SharedWindow(store))
        if dingtalk
        else None,
    )


@asynccontextmanager
async def _running(service: Service, role: str) -> AsyncIterator[None]:
    scheduler = None
    service.start("tally", service.tally.run)
    if role in {"all", "worker"}:
        service.start(RELAY, service.relay.run)
        if service.following.readers:
            service.start(DIRECTORY, service.following.run)
        if service.newcomers is not None:
            service.start(NEWCOMERS, service.newcomers.run)
        scheduler = service.clockwork.start()
        _publish_menu(service)
    if role in {"all", "web"} and service.stream is not None:
        service.start("dingtalk stream", service.stream.run)
    if role in {"all", "web"} and service.aibot is not None:
        service.start("wecom aibot", service.aibot.run)
    try:
        yield
    finally:
        await service.gatherer.close()
        if scheduler is not None:
            scheduler.pause()
        await _stop(service)
        if scheduler is not None:
            scheduler.shutdown(wait=False)


def _publish_menu(service: Service) -> None:
    wecom, client = service.settings.wecom, service.wecom
    if wecom is not None and client is not None:
        service.start("wecom menu", lambda: keep_published(client, wecom.agent_id))


async def _stop(service: Service) -> None:
    """Let what is under way finish: a statement that is cancelled costs its connection."""
    service.relay.stop()
    service.following.stop()
    if service.newcomers is not None:
        service.newcomers.stop()
    for task in reversed(service.tasks):
        if task.get_name() not in {RELAY, DIRECTORY, NEWCOMERS}:
            task.cancel()
    with suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(DRAIN):
            await service.clockwork.rest()
            await asyncio.gather(*service.tasks, return_exceptions=True)
    for task in service.tasks:
        task.cancel()


def senders(
    settings: Settings, store: Store, wecom: WeComClient | None, dingtalk: DingTalkClient | None
) -> dict[Channel, Sender]:
    """Who delivers what; a channel that is not configured has nobody, and its messages wait."""
    known: dict[Channel, Sender] = {}
    if settings.wecom is not None and wecom is not None:
        gone = _noting(store, contacts.unreachable)
        known |= {
            Channel.WECOM: AppSender(
                wecom,
                settings.wecom.agent_id,
                store.clock,
                settings.server.public_url,
                _noting(store, people.missing) if settings.directory.sync else None,
                _noting(store, alarms.sound),
            ),
            Channel.WECOM_GROUP: GroupSender(wecom),
            Channel.WECOM_MASS: MassSender(
                wecom, gone, _noting(store, contacts.doubted), store.clock
            ),
            Channel.WECOM_CONTACT: ContactLookup(wecom, _remember(store), gone),
            Channel.WECOM_WELCOME: WelcomeSender(
                wecom, store.clock, _noting(store, contacts.greeted)
            ),
            Channel.WECOM_PROFILE: ProfileSender(wecom, StageTags(wecom), gone),
            Channel.WECOM_WAY: WaySender(
                client=wecom,
                known=_asking(store, ways.known),
                made=_noting(store, ways.made),
                shown=_noting(store, ways.shown),
                failed=_noting(store, ways.failed),
                read=ways.from_json,
            ),
        }
    if settings.dingtalk is not None and dingtalk is not None:
        known |= {
            Channel.DINGTALK: DingTalkSender(
                dingtalk,
                settings.dingtalk,
                store.clock,
                f"{settings.server.public_url}/dingtalk/cards",
                _bell(store),
            ),
            Channel.DINGTALK_GROUP: DingTalkGroupSender(
                dingtalk, settings.dingtalk, store.clock, _noting(store, _unbind)
            ),
        }
        known |= _fetchers(settings.dingtalk, store, dingtalk)
    if settings.mail is not None:
        known[Channel.MAIL] = MailSender(settings.mail, store.clock)
    return known


def _noting(store: Store, note: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """``note`` in a transaction of its own: what a platform answered, handed back."""

    async def in_transaction(*what: Any) -> None:
        async with store.begin() as tx:
            await note(tx, *what)

    return in_transaction


def _bell(store: Store) -> Bell:
    """For what an admin has to mend and no message says."""
    return Bell(_noting(store, alarms.sound), _noting(store, alarms.over))


async def _unbind(tx: Tx, group: str) -> None:
    await tx.groups.unbind(Platform.DINGTALK, group)


def _asking(store: Store, ask: Callable[[Tx, T], Awaitable[T]]) -> Callable[[T], Awaitable[T]]:
    """``ask`` of what is kept now."""

    async def reading(what: T) -> T:
        async with store.read() as tx:
            return await ask(tx, what)

    return reading


def _fetchers(settings: DingTalk, store: Store, client: DingTalkClient) -> dict[Channel, Sender]:
    """What is switched on besides the chats of DingTalk; each call of these is paid for."""
    known: dict[Channel, Sender] = {}
    if settings.todo:
        people = DingTalkDirectory(client, (), store.clock)
        known[Channel.DINGTALK_TODO] = TodoSender(client, people)
    if settings.approval:
        reader = ApprovalReader(client, settings.approval, _take_form(store))
        known[Channel.DINGTALK_FORM] = reader
    return known


def _take_form(store: Store) -> Callable[[str, str, Mapping[str, Any]], Any]:
    async def take(instance: str, by: str, values: Mapping[str, Any]) -> None:
        async with store.begin() as tx:
            await agreed(tx, instance, by, values)

    return take


def directories(
    settings: Settings, store: Store, wecom: WeComClient | None, dingtalk: DingTalkClient | None
) -> Sequence[Reader]:
    """What the team is read from, besides the configuration."""
    if not settings.directory.sync:
        return ()
    readers: list[Reader] = []
    if wecom is not None:
        agent_id = settings.wecom.agent_id if settings.wecom else 0
        readers.append(WeComDirectory(wecom, agent_id, store.rules.roles, store.clock))
    if dingtalk is not None:
        roots = settings.directory.dingtalk_departments
        readers.append(DingTalkDirectory(dingtalk, roots, store.clock))
    return readers


def _remember(store: Store) -> Callable[[str, dict[str, Any]], Any]:
    """What a look-up finds fills the blanks of the contact's lead."""

    async def remember(external_userid: str, about: dict[str, Any]) -> None:
        mobiles = about.get("remark_mobiles") or [""]
        details = NewLead(
            source="wecom",
            external_userid=external_userid,
            name=str(about.get("name") or "")[:100],
            company=str(about.get("company") or "")[:200],
            title=str(about.get("title") or "")[:100],
            phone=str(mobiles[0]),
        )
        async with store.begin() as tx:
            ids = await tx.leads.known([Key("external_userid", external_userid)])
            for leads in ids.values():
                await found(tx, await tx.leads.get(leads[0]), details)

    return remember


def create_app(service: Service) -> web.Application:
    """The HTTP side of the service."""
    settings = service.settings
    app = web.Application(client_max_size=settings.limits.body_bytes)
    app[keys.SETTINGS] = settings
    app[keys.STORE] = service.store
    app[keys.RELAY] = service.relay
    app[keys.GATHERER] = service.gatherer
    app[keys.TALLY] = service.tally
    app[keys.READY] = _checks(service)
    if settings.wecom is not None:
        app[keys.WECOM] = WeComCallback(settings.wecom, service.store.clock)
    _add_logins(app, service)
    if settings.dingtalk is not None and settings.dingtalk.mode == "http":
        app[keys.DINGTALK] = DingTalkHttp(settings.dingtalk)
    for routes in (
        routes_api,
        routes_app,
        routes_hooks,
        routes_login,
        routes_platforms,
        routes_public,
        routes_ops,
    ):
        routes.add_routes(app)
    return app


def _add_logins(app: web.Application, service: Service) -> None:
    """How people of each platform log in to the pages."""
    logins: list[LoginProvider] = []
    wecom, client = service.settings.wecom, service.wecom
    if wecom is not None and client is not None:
        clock, tokens = service.store.clock, SharedTokens(service.store)
        logins.append(WeComLogin(client, wecom))
        app[keys.JSSDK] = JsSdk(client, wecom, clock, tokens)
    if service.dingtalk is not None:
        logins.append(DingTalkLogin(service.dingtalk))
    app[keys.LOGINS] = logins


def _checks(service: Service) -> dict[str, Callable[[], bool]]:
    checks: dict[str, Callable[[], bool]] = {}
    if any(task.get_name() == RELAY for task in service.tasks):
        checks["relay"] = lambda: service.relay.alive
    stream = service.stream
    if stream is not None and any(task.get_name() == "dingtalk stream" for task in service.tasks):
        checks["dingtalk"] = lambda: stream.connected
    aibot = service.aibot
    if aibot is not None:
        checks["aibot"] = lambda: aibot.well
    return checks
