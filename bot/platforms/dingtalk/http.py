"""HTTP mode: DingTalk calls us (D:receive-message, D:http-callback-overview)."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.config import DingTalk
from bot.incoming import Incoming, OrgEvent
from bot.platforms.dingtalk import events
from bot.platforms.dingtalk.crypto import (
    DingTalkCrypto,
    card_secret,
    check_card,
    check_robot,
)
from bot.platforms.dingtalk.messages import read_robot
from bot.platforms.dingtalk.presses import Presses
from store.domain.errors import BadCallback, ConfigError

STAMP = "x-ddpaas-signature-timestamp"


class DingTalkHttp:
    """Verify, decrypt, parse. Raises ConfigError for keys the console never gave out."""

    def __init__(self, settings: DingTalk) -> None:
        self._settings = settings
        self._presses = Presses(settings.corp_id)
        self._card_secret = card_secret(settings.client_secret.get_secret_value())
        token, key = settings.token.get_secret_value(), settings.encoding_aes_key
        try:
            self._crypto = DingTalkCrypto(token, key.get_secret_value(), settings.client_id)
        except ValueError:
            mistake = "dingtalk.encoding_aes_key: copy the 43 letters and digits from the console"
            raise ConfigError([mistake]) from None

    @property
    def has_cards(self) -> bool:
        """Whether there are cards that can be pressed."""
        return bool(self._settings.card_template_id)

    def read_robot_post(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Incoming | None:
        """A robot message; None for one nobody can act on. Raises BadCallback.

        ``headers`` must find ``timestamp`` and ``sign`` under any case, as aiohttp's do.
        """
        check_robot(headers, self._settings.client_secret.get_secret_value(), now)
        return read_robot(parse(body), self._settings.oapi_base)

    def read_press(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Incoming | None:
        """A press on an interactive card; None for one that means nothing. Raises BadCallback."""
        check_card(headers, self._card_secret, now)
        # A repetition carries the timestamp it was signed with the first time, or finds no answer.
        return self._presses.read(parse(body), headers.get(STAMP, ""))

    def answered(self, pressed: Incoming) -> None:
        """The answer to a press of ``read_press`` is going out."""
        self._presses.answered(pressed)

    def read_event(
        self, query: Mapping[str, str], body: bytes
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """An event push and the JSON to answer it with, which must go out within 1.5 s.

        The console's ``check_url`` is an event like any other. Raises BadCallback.
        """
        encrypt = parse(body).get("encrypt")
        if not isinstance(encrypt, str):
            raise BadCallback("no encrypt in the body")
        event = parse(self._crypto.decrypt(query, encrypt))
        return event, self._crypto.answer(query)

    def heard(self, event: Mapping[str, Any]) -> OrgEvent | None:
        """What an event of ``read_event`` means to us."""
        return events.heard(events.of_push(event), self._settings)


def event_type(event: Mapping[str, Any]) -> str:
    """The event's type, however this transport spells the key (``EventType``, ``eventType``)."""
    plain = {key.replace("_", "").lower(): value for key, value in event.items()}
    return str(plain.get("eventtype", ""))


def parse(body: bytes | str) -> dict[str, Any]:
    """A JSON object. Raises BadCallback for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise BadCallback("not JSON") from None
    if not isinstance(value, dict):
        raise BadCallback("not a JSON object")
    return value
