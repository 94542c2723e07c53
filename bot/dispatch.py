"""From what somebody did to what is done: once, whatever the platform repeats."""

from dataclasses import asdict, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

from prometheus_client import Counter

from bot.incoming import (
    Answer,
    AppActivity,
    ApprovalAgreed,
    ContactAdded,
    ContactEdited,
    ContactEvent,
    ContactLost,
    DirectoryChanged,
    Entered,
    HandoverFailed,
    Heard,
    Incoming,
    LinkNews,
    OrgEvent,
)
from bot.platforms.named import key_of
from cards import aibot, dingtalk, render, render_text
from cards.lists import answered_card
from handlers import activity, contacts, people, quota
from handlers.announce import show
from handlers.commands import Run, understand, with_quote
from handlers.greet import greet, without_words
from handlers.reply import Reply
from store.db import Store, Tx
from store.domain.errors import LeadbotError, NotAllowed, Refused, Stale
from store.domain.names import clean
from store.domain.quota import Api, Rank
from store.domain.team import Channel, Member, Platform
from store.members import BoundGroup
from store.outbox import Put
from store.turns import Hurry

CONTACTS = Counter("leadbot_contacts", "WeCom contacts made and lost", ["event"])
TRIES = 5
ASKS = "/ask"
"""Ends the key of a card that one press answers; a list is pressed line by line."""
AGAIN = timedelta(seconds=70)
"""What nobody answered comes again within a minute (1.4 of DingTalk's facts)."""
LONGEST = 2000
"""Characters of a line that are looked at; a phone cannot send more in one message."""


LONGEST_ID = 128
LONGEST_USERID = 64
"""Characters of a platform's ids, more than either ever sends: a longer one is nobody's."""
LONGEST_TITLE = 100
LONGEST_STATE = 100


async def hear(store: Store, heard: Heard) -> Answer:
    """Do what was asked, once, and what a platform's answer to its callback should say."""
    if not _possible(heard):
        return Answer()
    for _ in range(TRIES):
        try:
            if isinstance(heard, Entered):
                return await _enter(store, heard)
            if isinstance(heard, Incoming):
                return await _do(store, heard)
            if isinstance(heard, OrgEvent):
                return await _org(store, heard)
            return await _note(store, heard)
        except Stale:
            continue
    raise LeadbotError("too many at once")


def _possible(heard: Heard) -> bool:
    if isinstance(heard, Incoming | Entered):
        return len(heard.account) <= LONGEST_USERID and len(heard.id) <= LONGEST_ID
    if isinstance(heard, OrgEvent):
        return len(heard.id) <= LONGEST_ID
    return max(len(heard.external_userid), len(heard.userid)) <= LONGEST_USERID


async def _org(store: Store, heard: OrgEvent) -> Answer:
    """What happened in the organisation; who left is out with this transaction."""
    async with store.begin() as tx:
        if not await tx.inbox.first(f"{_platform(heard)}:{heard.id}"):
            return Answer()
        match heard:
            case ApprovalAgreed():
                await _fetch(tx, heard)
            case AppActivity():
                await activity.told(tx, heard.change, heard.effect)
            case DirectoryChanged():
                await _moved(tx, heard)
    return Answer()


def _platform(heard: OrgEvent) -> Platform:
    if isinstance(heard, DirectoryChanged):
        return heard.platform
    return Platform.WECOM if isinstance(heard, AppActivity) else Platform.DINGTALK


async def _moved(tx: Tx, heard: DirectoryChanged) -> None:
    if heard.renamed is not None:
        await tx.members.rename(heard.platform, *heard.renamed)
    for account in heard.joined:
        await people.join(tx, heard.platform, account, heard.at)
    for account in heard.left:
        await people.leave(tx, heard.platform, account, heard.at)
    await people.ask_directory(tx, heard.platform)


async def _fetch(tx: Tx, heard: ApprovalAgreed) -> None:
    """What was written in the form has to be asked for."""
    put = Put(
        key=f"approval:{sha256(heard.instance.encode()).hexdigest()[:40]}",
        channel=Channel.DINGTALK_FORM,
        account=heard.instance,
        payload={"process_code": heard.process_code},
    )
    await tx.outbox.put([put])


async def _do(store: Store, said: Incoming) -> Answer:
    if said.left_out:
        return await _once(store, said, _unread)
    if said.wordless:
        return await _once(store, said, _wordless(said.wordless))
    try:
        line = with_quote(clean(said.line), clean(said.quoted))
        return await _once(store, said, understand(line[:LONGEST]))
    except Refused as refusal:
        # What was begun is rolled back; only the refusal is kept.
        return await _once(store, said, _refuse(refusal))


async def _unread(tx: Tx, by: Member) -> Reply:
    """DingTalk's month is over: the words, and the button that was pressed, stayed there."""
    return Reply(text=await without_words(tx, by), private=True)


def _wordless(kind: str) -> Run:
    async def run(_tx: Tx, _by: Member) -> Reply:
        return Reply(text=f"{kind}我还看不懂，用文字发给我就行")

    return run


def _refuse(refusal: Refused) -> Run:
    async def run(tx: Tx, by: Member) -> Reply:
        return Reply(text=str(refusal), refused=True)

    return run


def _receipt(said: Incoming) -> str:
    return f"{said.platform}:{said.id}"


def _wire(said: Incoming | None) -> str:
    """What a press has in common with its redeliveries; "" for what is told apart by its id."""
    if said is None or said.press is None or not said.press.same:
        return ""
    return f"{said.platform}:press:{said.press.same}"


async def _once(store: Store, said: Incoming, run: Run) -> Answer:
    receipt = _receipt(said)
    async with store.begin(Hurry.PERSON) as tx:
        if wire := _wire(said):
            receipt = await tx.inbox.unanswered(wire, receipt, AGAIN)
        if not await tx.inbox.first(receipt):
            return await _redrawn(tx, said, _again(await tx.inbox.reply(receipt)))
        if said.left_out:
            await quota.spent(tx, Api.DINGTALK_PUSHES)
        by = await tx.members.by_account(said.platform, said.account)
        if by is None:
            reply = Reply(text=str(_stranger(said)))
        else:
            tx.group = _group(said)
            pressed = await _pressed(tx, said)
            reply = await run(tx, by)
            if pressed and reply.refused:
                await _repair(tx, by, pressed)
            elif reply.told and _asks(pressed):
                await _answered(tx, said, pressed, reply)
        answer = await _deliver(tx, said, reply)
        await tx.inbox.keep(receipt, asdict(answer))
        # Not kept: asked again, the card answers how it is by then.
        return await _redrawn(tx, said, answer)


async def arrived(store: Store, answer: Answer, pressed: Incoming | None = None) -> None:
    """The platform has the answer: what it carries needs no call of its own.

    ``pressed``, once more, is a second press from now on, whichever process hears of it.
    """
    wire = _wire(pressed)
    if answer.carries is None and not wire:
        return
    async with store.begin() as tx:
        if pressed is not None and wire:
            await tx.inbox.answered(wire, _receipt(pressed))
        if answer.carries is not None:
            await tx.outbox.answered(*answer.carries)


async def hand_over_answer(store: Store, said: Incoming, body: dict[str, Any]) -> None:
    """What the AI bot could not say goes to the member's chat with the app."""
    async with store.begin() as tx:
        by = await tx.members.by_account(said.platform, said.account)
        if by is None:
            return
        key = _reply_key(said)
        puts = [
            Put(
                key=f"{key}/late{number}",
                channel=Channel.WECOM,
                account=said.account,
                payload=payload,
                rank=Rank.ASKED,
            )
            for number, payload in enumerate(aibot.elsewhere(said.line, body))
        ]
        await tx.outbox.put(puts)


async def _redrawn(tx: Tx, said: Incoming, answer: Answer) -> Answer:
    """To a press on an interactive card, what that card shows from now on."""
    if said.press is None or said.platform != Platform.DINGTALK:
        return answer
    key, track_id = key_of(said.press.task_id), said.press.task_id
    now = await tx.outbox.answering(key, said.account, track_id)
    if now is None:
        return answer
    carries = (key, now.version) if now.version is not None else None
    return replace(answer, body=dingtalk.redrawn(now.card), carries=carries)


def _again(kept: dict[str, Any]) -> Answer:
    return Answer(str(kept.get("text", "")), kept.get("body"))


async def _enter(store: Store, entered: Entered) -> Answer:
    """Whoever opens the chat is told what to do now; a stranger nothing, they come by often."""
    receipt = f"{entered.platform}:{entered.id}"
    async with store.begin(Hurry.PERSON) as tx:
        if not await tx.inbox.first(receipt):
            return _again(await tx.inbox.reply(receipt))
        by = await tx.members.by_account(entered.platform, entered.account)
        answer = Answer(await greet(tx, by) if by else "")
        await tx.inbox.keep(receipt, asdict(answer))
    return answer


def _group(said: Incoming) -> BoundGroup | None:
    if said.group is None or len(said.group.id) > LONGEST_ID:
        return None
    return BoundGroup(said.platform, said.group.id, said.group.title[:LONGEST_TITLE])


def _stranger(said: Incoming) -> NotAllowed:
    return NotAllowed(f"你还不在销售团队名单里，请管理员把你加进来（账号 {said.account}）")


async def _pressed(tx: Tx, said: Incoming) -> str:
    """The key of the card that was pressed, if it is one of ours on this phone."""
    if said.press is None:
        return ""
    key, task_id = key_of(said.press.task_id), said.press.task_id
    if said.platform == Platform.DINGTALK:
        known = await tx.outbox.touched(key, said.account, task_id)
    else:
        known = await tx.outbox.pressed(key, said.account, task_id, said.press.code)
    return key if known else ""


async def _repair(tx: Tx, by: Member, key: str) -> None:
    """A card that let somebody press what is no longer so is redrawn as things are."""
    kind, _, rest = key.partition(":")
    number, _, reader = rest.partition("/")
    if kind != "lead" or reader != str(by.id):
        return
    for lead in await tx.leads.many([int(number)]):
        await show(tx, lead, by, ring=False)
    await tx.outbox.redraw(key)


def _asks(key: str) -> bool:
    return key.endswith(ASKS) or key.startswith("remind:")


def _reply_key(said: Incoming) -> str:
    return "reply:" + sha256(f"{said.platform}:{said.id}".encode()).hexdigest()[:32]


async def _answered(tx: Tx, said: Incoming, key: str, reply: Reply) -> None:
    """A question that was answered says what became of it, and asks no more."""
    channel = Channel(said.platform)
    payload = render(answered_card(reply.text), channel)
    await tx.outbox.put([Put(key=key, channel=channel, account=said.account, payload=payload)])


async def _deliver(tx: Tx, said: Incoming, reply: Reply) -> Answer:
    """The cheapest way back: WeCom's passive reply, DingTalk's session; else a message."""
    key = _reply_key(said)
    if said.direct:
        return await _hand_back(tx, said, reply, key)
    if reply.card is not None:
        card_key = reply.key or (key + ASKS if reply.asks else key)
        await _send(tx, said, reply, card_key, render(reply.card, Channel(said.platform)))
    if not reply.text:
        return Answer()
    if said.platform == Platform.WECOM and said.press is None and reply.card is None:
        return Answer(reply.text)
    if said.press is None or not reply.told:
        await _send(
            tx, said, reply, f"{key}/text", render_text(reply.text, Channel(said.platform))
        )
    return Answer()


async def _hand_back(tx: Tx, said: Incoming, reply: Reply, key: str) -> Answer:
    """All of it at once; what is private leaves the group for the member's own chat."""
    channel = Channel(said.platform)
    if said.group is not None and reply.private:
        if reply.card is not None:
            await _send(tx, said, reply, key, render(reply.card, channel))
        if reply.text:
            await _send(tx, said, reply, f"{key}/text", render_text(reply.text, channel))
        reply = Reply()
    if said.press is not None:
        return Answer(body=aibot.pressed(reply.text, reply.card))
    in_group = said.group is not None
    return Answer(body=aibot.said(reply.text, reply.card, in_group=in_group))


async def _send(
    tx: Tx, said: Incoming, reply: Reply, key: str, payload: dict[str, object]
) -> None:
    private = reply.private and said.group is not None
    if said.session is not None and not private:
        session = {"url": said.session.url, "until": said.session.until.isoformat()}
        payload = payload | {"session": session}
    channel = Channel(said.platform)
    put = Put(
        key=key,
        channel=channel,
        account=said.account,
        payload=payload,
        ring=bool(reply.key),
        rank=Rank.ASKED,
    )
    await tx.outbox.put([put])


async def _note(store: Store, heard: ContactEvent) -> Answer:
    """What became of a WeCom contact, or what 获客助手 has to say; nobody waits for an answer."""
    async with store.begin(Hurry.CROWD) as tx:
        if await tx.inbox.first(f"wecom:{heard.id}"):
            await _take(tx, heard)
    return Answer()


async def _take(tx: Tx, heard: ContactEvent) -> None:
    match heard:
        case ContactAdded():
            if await contacts.meet(tx, _met(heard)):
                CONTACTS.labels("added").inc()
        case ContactLost():
            await _lose(tx, heard)
        case ContactEdited():
            await contacts.edited(tx, heard.external_userid, heard.userid)
        case HandoverFailed():
            who = heard.external_userid, heard.userid
            await contacts.handover_failed(tx, *who, heard.reason)
        case LinkNews():
            await _tell(tx, heard)


def _met(heard: ContactAdded) -> contacts.Met:
    return contacts.Met(
        external_userid=heard.external_userid,
        userid=heard.userid,
        state=heard.state[:LONGEST_STATE],
        welcome_code=heard.welcome_code,
        at=heard.at,
    )


async def _lose(tx: Tx, heard: ContactLost) -> None:
    if await contacts.parted(
        tx,
        heard.external_userid,
        heard.userid,
        by_customer=heard.by_customer,
        handed_over=heard.handed_over,
        at=heard.at,
    ):
        CONTACTS.labels("deleted_by_customer" if heard.by_customer else "deleted_by_member").inc()


async def _tell(tx: Tx, heard: LinkNews) -> None:
    """Who has begun to talk is their rep's news, everything else the managers'."""
    if heard.change == "customer_start_chat" and await contacts.spoke(tx, heard.external_userid):
        return
    await contacts.notice(tx, heard.change, heard.link_id, heard.left, heard.expires)
