"""How WeCom refuses: HTTP 200, a number and a sentence nobody may rely on."""


class No(Exception):
    """``fields`` go into the answer beside errcode and errmsg."""

    def __init__(self, errcode: int, errmsg: str, **fields: object) -> None:
        super().__init__(errmsg)
        self.errcode = errcode
        self.errmsg = errmsg
        self.fields = fields


def explained(errcode: int, errmsg: str) -> str:
    """The long form errmsg comes in (seen in real answers, 2026-09)."""
    more = f"https://open.work.weixin.qq.com/devtool/query?e={errcode}"
    return f"{errmsg}, hint: [1789000000_0_sandbox], from ip: 127.0.0.1, more info at {more}"
