"""How DingTalk refuses: the new API by HTTP status and a code, the old one by errcode at 200."""


class Fault(Exception):
    """A refusal of api.dingtalk.com (3.2 of the fact sheet)."""

    def __init__(self, status: int, code: str, message: str, **fields: object) -> None:
        """``fields`` go into the answer beside code and message."""
        super().__init__(message)
        self.fields = fields
        self.status = status
        self.code = code
        self.message = message


class OldFault(Exception):
    """A refusal of oapi.dingtalk.com."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(errmsg)
        self.errcode = errcode
        self.errmsg = errmsg
