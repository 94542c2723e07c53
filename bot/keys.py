"""Typed places of the application, shared by the routes."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.config import Settings
from bot.gather import Gatherer
from bot.platforms.dingtalk.http import DingTalkHttp
from bot.platforms.login import LoginProvider
from bot.platforms.wecom.callback import WeComCallback
from bot.platforms.wecom.jssdk import JsSdk
from jobs.relay import Relay
from jobs.tally import Tally
from store.db import Store

SETTINGS = web.AppKey("settings", Settings)
STORE = web.AppKey("store", Store)
RELAY = web.AppKey("relay", Relay)
GATHERER = web.AppKey("gatherer", Gatherer)
WECOM = web.AppKey("wecom", WeComCallback)
DINGTALK = web.AppKey("dingtalk", DingTalkHttp)
LOGINS = web.AppKey[list[LoginProvider]]("logins", list)
JSSDK = web.AppKey("jssdk", JsSdk)
WORK = web.AppKey[set[asyncio.Task[Any]]]("work", set)
"""What is still being done although its answer had to go out before."""
TALLY = web.AppKey("tally", Tally)
READY = web.AppKey[dict[str, Callable[[], bool]]]("ready", dict)
