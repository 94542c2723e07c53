"""WeCom, played: qyapi for the product to call, and the phones that call it back."""

import secrets

from aiohttp import ClientSession, web

from bot.sandbox.staff import Staff
from bot.sandbox.state import State
from bot.sandbox.trouble import troubled
from bot.sandbox.wecom.aibot import Gateway
from bot.sandbox.wecom.api import Api, Call, Company, Endpoint, only_known
from bot.sandbox.wecom.contacts import Contacts
from bot.sandbox.wecom.courier import Courier
from bot.sandbox.wecom.directory import Directory
from bot.sandbox.wecom.envelope import new_key
from bot.sandbox.wecom.errors import No
from bot.sandbox.wecom.kf import Desk
from bot.sandbox.wecom.login import Login
from bot.sandbox.wecom.menu import Menu
from bot.sandbox.wecom.messages import Messages
from bot.sandbox.wecom.phone import Hand
from bot.sandbox.wecom.robot import Robot
from bot.sandbox.wecom.trouble import refusing
from bot.sandbox.wecom.ways import Ways
from bot.sandbox.wire import logged


def new_company(callback_url: str) -> Company:
    """A made-up corp with fresh secrets."""
    return Company(
        corp_id=f"ww{secrets.token_hex(8)}",
        agent_id=1000002,
        secret=secrets.token_urlsafe(32),
        token=secrets.token_hex(12),
        aes_key=new_key(),
        robot_key=secrets.token_hex(16),
        callback_url=callback_url,
    )


class WeCom:
    """``gap``: real seconds between two tries of a callback."""

    def __init__(
        self, company: Company, state: State, session: ClientSession, gap: float = 1.0
    ) -> None:
        self.company = company
        self.api = Api(company, state)
        self.staff = Staff(state, "wecom")
        self.messages = Messages(company, state)
        self.contacts = Contacts(state)
        self.ways = Ways(state)
        self.courier = Courier(company, state, session, gap)
        self.hand = Hand(company, state, self.messages, self.contacts, self.courier)
        self.menu = Menu(company, state, self.hand)
        self.login = Login(company, state)
        self.aibot = Gateway(f"aib{secrets.token_hex(8)}", secrets.token_urlsafe(32), state)
        self.kf = Desk(state, self.courier)
        self.robot = Robot(company, state)
        self._state = state
        self._add_endpoints(self.robot)

    def _add_endpoints(self, robot: Robot) -> None:
        for path, answer in (
            ("message/send", self.messages.send),
            ("message/update_template_card", self.messages.update),
            ("message/recall", self.messages.recall),
            ("externalcontact/add_msg_template", self.contacts.add_template),
            ("externalcontact/get_groupmsg_list_v2", self.contacts.sent_list),
            ("externalcontact/get_groupmsg_task", self.contacts.task),
            ("externalcontact/get_groupmsg_send_result", self.contacts.result),
            ("externalcontact/batch/get_by_user", self.contacts.of_members),
            ("externalcontact/send_welcome_msg", self.contacts.welcome),
            ("externalcontact/remark", self.contacts.remark),
            ("externalcontact/mark_tag", self.contacts.mark),
            ("externalcontact/get_corp_tag_list", self.contacts.tags.listed),
            ("externalcontact/add_corp_tag", self.contacts.tags.add),
            ("externalcontact/add_contact_way", self.ways.add),
            ("externalcontact/get_contact_way", self.ways.get),
            ("externalcontact/update_contact_way", self.ways.update),
            ("externalcontact/del_contact_way", self.ways.delete),
            ("externalcontact/customer_acquisition/create_link", self.ways.create_link),
            ("externalcontact/customer_acquisition/update_link", self.ways.update_link),
            ("externalcontact/customer_acquisition/delete_link", self.ways.delete_link),
            ("externalcontact/customer_acquisition/get", self.ways.get_link),
        ):
            self.api.add(path, Endpoint(method="POST", answer=answer))
        for endpoints in (self.menu.endpoints(), self.login.endpoints(), self.kf.endpoints()):
            for path, endpoint in endpoints.items():
                self.api.add(path, endpoint)
        self._add_reading()
        self.api.add("webhook/send", Endpoint(method="POST", answer=robot.send, needs_token=False))

    def _add_reading(self) -> None:
        get, listed = self.contacts.get, self.contacts.of_member
        empty: dict[str, list[str]] = {"follow_user": []}
        self.api.add("externalcontact/get", Endpoint(method="GET", answer=get, empty=empty))
        none: dict[str, list[str]] = {"external_userid": []}
        self.api.add("externalcontact/list", Endpoint(method="GET", answer=listed, empty=none))
        self.api.add("agent/get", Endpoint(method="GET", answer=self._agent))
        followers = Endpoint(method="GET", answer=self._followers, empty={"follow_user": []})
        self.api.add("externalcontact/get_follow_user_list", followers)
        for path, endpoint in Directory(self.staff).endpoints().items():
            self.api.add(path, endpoint)

    def _agent(self, call: Call) -> dict[str, object]:
        """The app as its page shows it (D:90227): who sees it, by department, tag or name."""
        if call.query.get("agentid") != str(self.company.agent_id):
            raise No(301002, "not allow operate another agent with this accesstoken")
        people = self.staff.people.values()
        alone = [{"userid": p.account} for p in people if p.alone and p.seen]
        units = self.staff.units.items()
        shown = {id_ for id_, _ in units if id_ not in self.staff.hidden}
        tops = [id_ for id_, unit in units if id_ in shown and unit.parent not in shown]
        return {
            "agentid": self.company.agent_id,
            "name": "线索助手",
            "close": 0,
            "allow_userinfos": {"user": alone},
            "allow_partys": {"partyid": tops if any(p.seen for p in people) else []},
            "allow_tags": {"tagid": sorted(self.staff.opened)},
        }

    def _followers(self, call: Call) -> dict[str, object]:
        """Who may use 客户联系: here everybody the app sees."""
        return {
            "follow_user": [p.account for p in self.staff.people.values() if self.staff.sees(p)]
        }

    def app(self) -> web.Application:
        faults = self._state.faults
        trouble = troubled(faults, "wecom", refusing(faults, self.api.tokens))
        app = web.Application(
            middlewares=[logged(self._state, "wecom"), trouble, only_known],
            client_max_size=32 << 20,
        )
        app.router.add_post("/cgi-bin/webhook/upload_media", self.robot.upload)
        self.api.routes(app)
        app.router.add_get("/aibot", self.aibot.connect)
        app.router.add_get("/connect/oauth2/authorize", self.login.authorize)
        app.router.add_get("/qr/{config_id}.png", self.ways.picture)
        return app
