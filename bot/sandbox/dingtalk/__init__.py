"""DingTalk, played: both of its API hosts, the stream gateway, and the phones behind it."""

import base64
import secrets

from aiohttp import web

from bot.sandbox.dingtalk.api import Api, Org, faults, old, reply
from bot.sandbox.dingtalk.directory import Directory
from bot.sandbox.dingtalk.instances import Instances
from bot.sandbox.dingtalk.media import Uploads
from bot.sandbox.dingtalk.messages import Messages
from bot.sandbox.dingtalk.office import Calendar, Dings
from bot.sandbox.dingtalk.phone import Hand
from bot.sandbox.dingtalk.stream import Gateway, Pace
from bot.sandbox.dingtalk.todo import Approvals, Todos
from bot.sandbox.dingtalk.trouble import refusing
from bot.sandbox.dingtalk.webhooks import Robot, Sessions
from bot.sandbox.staff import Staff
from bot.sandbox.state import State
from bot.sandbox.trouble import troubled
from bot.sandbox.wecom.envelope import new_key
from bot.sandbox.wire import logged


def new_org(*, cards: bool = False) -> Org:
    """A made-up corp with fresh secrets. ``cards``: its admin has imported the card template."""
    return Org(
        corp_id=f"ding{secrets.token_hex(8)}",
        client_id=f"ding{secrets.token_hex(8)}",
        client_secret=secrets.token_urlsafe(48),
        group_id=f"cid{base64.b64encode(secrets.token_bytes(16)).decode()}",
        group_title="销售管理群",
        robot_token=secrets.token_hex(32),
        robot_secret=f"SEC{secrets.token_hex(32)}",
        template_id=f"{secrets.token_hex(16)}.schema" if cards else "",
        agent_id=secrets.randbelow(10**9) + 1,
        push_token=secrets.token_hex(12),
        push_key=new_key(),
    )


class DingTalk:
    def __init__(self, org: Org, state: State, pace: Pace | None = None) -> None:
        self.org = org
        self.api = Api(org, state)
        self.staff = Staff(state, "dingtalk")
        self.directory = Directory(self.staff)
        self.todos = Todos(self.directory, state)
        self.approvals = Approvals()
        self.dings = Dings(org, state)
        self.calendar = Calendar(self.directory, state)
        self.messages = Messages(org, state)
        self.sessions = Sessions(state)
        self.gateway = Gateway(org, state, pace)
        self.instances = Instances(org, state, self.gateway, self.messages)
        self.hand = Hand(org, state, self.gateway, self.sessions, self.instances)
        self._state = state

    def app(self) -> web.Application:
        trouble = troubled(
            self._state.faults, "dingtalk", refusing(self._state.faults, self.api.tokens)
        )
        app = web.Application(
            middlewares=[logged(self._state, "dingtalk"), trouble, faults, self.api.refuse],
            client_max_size=32 << 20,
        )
        self._new(app)
        self._old(app)
        app.on_shutdown.append(self._shut_down)
        return app

    def _new(self, app: web.Application) -> None:
        add, api, messages = app.router.add_post, self.api, self.messages
        add("/v1.0/oauth2/accessToken", api.open(api.access_token))
        add("/v1.0/robot/oToMessages/batchSend", api.guarded(messages.batch_send))
        add("/v1.0/robot/otoMessages/batchRecall", api.guarded(messages.recall))
        add("/v1.0/robot/groupMessages/send", api.guarded(messages.group_send))
        add("/v1.0/robot/groupMessages/recall", api.guarded(messages.recall))
        add("/v1.0/gateway/connections/open", self.gateway.open)
        app.router.add_get("/connect", self.gateway.connect)
        add("/v1.0/card/callbacks/register", api.guarded(self.instances.register))
        make = api.guarded(self.instances.create_and_deliver)
        add("/v1.0/card/instances/createAndDeliver", make)
        add("/v1.0/card/instances", api.guarded(self.instances.create))
        app.router.add_put("/v1.0/card/instances", api.guarded(self.instances.update))
        reading, todos = api.reading, self.todos
        app.router.add_post("/v1.0/todo/users/{union}/tasks", reading(todos.create))
        app.router.add_get(
            "/v1.0/todo/users/{union}/tasks/sources/{source}", reading(todos.by_source)
        )
        app.router.add_put("/v1.0/todo/users/{union}/tasks/{task}", reading(todos.change))
        app.router.add_get("/v1.0/workflow/processInstances", reading(self.approvals.get))
        add("/v1.0/robot/ding/send", api.guarded(self.dings.send))
        add("/v1.0/robot/ding/recall", api.guarded(self.dings.recall))
        events = "/v1.0/calendar/users/{union}/calendars/primary/events"
        add(events, reading(self.calendar.create))

    def _old(self, app: web.Application) -> None:
        robot, uploads = Robot(self.org, self._state), Uploads(self.api, self._state)
        app.router.add_route("*", "/robot/send", old(robot.send))
        app.router.add_route("*", "/robot/sendBySession", old(self.sessions.send))
        app.router.add_post("/media/upload", uploads.upload)
        directory = self.directory
        for path, answer in (
            ("v2/department/get", directory.unit),
            ("v2/department/listsub", directory.below),
            ("user/listsimple", directory.users),
            ("v2/user/get", directory.user),
            ("v2/user/getuserinfo", directory.login),
            ("message/corpconversation/asyncsend_v2", self.messages.notify),
        ):
            app.router.add_route("*", f"/topapi/{path}", self.api.topapi(answer))

        app.router.add_route("*", "/call_back/get_call_back_failed_result", self._failed)

    async def _failed(self, request: web.Request) -> web.StreamResponse:
        """The events nobody took, told once (D:obtain-the-event-list-of-failed-push-messages)."""
        if not self.api.tokens.alive(request.query.get("access_token", "")):
            return reply({"errcode": 40014, "errmsg": "不合法的access_token"})
        failed = self.gateway.http.tell_failed() if self.gateway.http else []
        return reply({"errcode": 0, "errmsg": "ok", "has_more": False, "failed_list": failed})

    async def _shut_down(self, _app: web.Application) -> None:
        await self.gateway.close()
