"""Who opened a page inside WeCom: OAuth2 without a question to the member (D:91022, D:91023)."""

from yarl import URL

from bot.config import WeCom
from bot.platforms.login import LoginRefused
from bot.platforms.wecom.client import WeComClient, WeComError
from store.domain.team import Platform

CODE_SPENT = 40029  # a code works once, for 5 minutes


class WeComLogin:
    """``[wecom] login_base`` is where the browser is sent."""

    platform = Platform.WECOM

    def __init__(self, client: WeComClient, settings: WeCom) -> None:
        self._client = client
        self._settings = settings

    def recognises(self, user_agent: str) -> bool:
        return "wxwork" in user_agent.lower()

    def start(self, back: str, state: str) -> str:
        """``back`` must lie on the app's trusted domain, port and all, else 50001."""
        query = {
            "appid": self._settings.corp_id,
            "redirect_uri": back,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": state,
            "agentid": str(self._settings.agent_id),
        }
        address = URL(f"{self._settings.login_base}/connect/oauth2/authorize").with_query(query)
        return f"{address}#wechat_redirect"

    async def account(self, code: str) -> str:
        """The userid, also of a member outside the app's visible range."""
        try:
            answer = await self._client.call("auth/getuserinfo", params={"code": code})
        except WeComError as error:
            if error.code == CODE_SPENT:
                raise LoginRefused("the code was used or is too old") from None
            raise
        userid = answer.get("userid")
        if not isinstance(userid, str) or not userid:
            raise LoginRefused("not a member of the corp")  # openid, external_userid: a customer
        return userid
