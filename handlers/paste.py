"""What is pasted or forwarded without a command, and looks like a lead."""

import re

from cards.paste import paste_card
from handlers.known import verdict
from handlers.new import read_sentence
from handlers.reply import Reply
from store.db import Tx
from store.domain.phones import all_phones
from store.domain.sentence import EMAIL, WECHAT
from store.domain.team import Member

MISTYPED = re.compile(r"(?![+\d])\S{1,6}\s+[#lL]?\d{1,9}(?:\s(?!\d)|$)")
"""A word and the number of a lead: a command with a slip of the thumb. 王芳 138 0013 8000 is none."""


def looks_like_lead(text: str) -> bool:
    """Whether there is somebody in it who could be called or written to."""
    if text.lstrip().startswith(("/", "／")) or MISTYPED.match(text.strip()):
        return False
    return bool(all_phones(text) or EMAIL.search(text) or WECHAT.search(text))


async def offer(tx: Tx, by: Member, text: str) -> Reply:
    """Ask whether to record it; a press says yes. Raises BadCommand."""
    new = read_sentence(text, by)
    return Reply(card=paste_card(new, text, await verdict(tx, new, by)), asks=True)
