"""Who opened a page inside DingTalk: the page asks the client for a code (section 7.2)."""

from yarl import URL

from bot.platforms.dingtalk.answers import DingTalkError
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.login import LoginRefused
from store.domain.team import Platform

PATH = "/topapi/v2/user/getuserinfo"
CODE_SPENT = "40078"  # a code works once, for 5 minutes


class DingTalkLogin:
    """There is no address to be sent to: a page of ours calls dd.requestAuthCode."""

    platform = Platform.DINGTALK

    def __init__(self, client: DingTalkClient) -> None:
        self._client = client

    def recognises(self, user_agent: str) -> bool:
        return "dingtalk" in user_agent.lower()

    def start(self, back: str, state: str) -> str:
        return str(URL(f"{back}/start").with_query(state=state))

    async def account(self, code: str) -> str:
        """The userid. Raises LoginRefused, Later or Undeliverable."""
        try:
            answer = await self._client.call("POST", PATH, {"code": code}, old=True)
        except DingTalkError as error:
            if error.code == CODE_SPENT:
                raise LoginRefused("the code was used or is too old") from None
            raise
        result = answer.get("result")
        userid = result.get("userid") if isinstance(result, dict) else None
        if not isinstance(userid, str) or not userid:
            raise LoginRefused("not a member of the corp")
        return userid
