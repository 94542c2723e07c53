"""Words that put off a next contact and name no day: 节后, 改天, 晚点, 这两天. They are asked about."""

import re

WHICH_DAY = "具体哪一天？可以写「周四」或「3天后」"
WHICH_HOUR = "具体几点？可以写「下午3点」或「2小时后」"
WHICH_HOLIDAY = "是哪个节？可以写「元旦后」或「春节后」"

# What customers do in these days is no appointment: 最近在忙, 晚点到的货.
THEN = (
    r"(?=\s*(?:之?内)?\s*(?:再|会|就|要|给|去|来|上门|过来|拜访|约|聊|谈|见|联系|回复|回访|回电|答复|跟进|沟通|打给?|致电"
    r"|发|看|定|签|安排|确认|对接|演示|我))"
)
SEVEN = r"(?:周|星期|礼拜)"
WORDS = (
    (
        WHICH_HOLIDAY,
        (
            r"(?:过完?|放完?)?(?<![环细季章情关调佳春秋阳午年庆诞宵旦灯夕女动童军师一腊日音枝脉])节[之以]?[后前](?![天台端])"
            r"|(?:节假日|小?长假|放完?假|假期)(?:回来)?[之以]?[后前](?!天)"
        ),
    ),
    (
        WHICH_DAY,
        r"改[天日](?!期)|择日|年前年后|过[一几]?(?:阵子?|段时间|段日子|些天|些日子|些时候|[一]?段)",
    ),
    (WHICH_DAY, rf"(?:[这本下上]个?(?:{SEVEN}|月))[前后](?:半[周月段]|面?几天)"),
    (
        WHICH_DAY,
        r"[再大]下一?个?(?:周|星期|礼拜|月)[一二三四五六日天]?|外后[天日]|隔(?:周|星期|礼拜)[一二三四五六日天]?",
    ),
    (
        WHICH_DAY,
        (
            r"(?:(?:这|近|最近|这一)(?:几|两|一两|两三)[天日]|今明(?:两[天日])?|近[期日]|最近|回头|有空了?|有时间了?|抽空|不忙的?时候?"
            r"|(?:开[春年学]|[暑寒]假|年中|忙完(?:这阵子?|这段时间?)?)[之以]?后?"
            rf"|(?:出差|休假|度假|放假|回国|出国|旅游|国外|外地)回来[之以]?后?){THEN}"
        ),
    ),
    (
        WHICH_HOUR,
        rf"(?:待会儿?|等会儿?|一会儿?|过[一]?会儿?|等一会儿?|等(?:一下|下)|稍[后晚]|晚[点些](?:时候)?|晚一[点些]|迟[点些]){THEN}",
    ),
)
SHOWN = "可以写"


def with_example(question: str, example: str) -> str:
    """The question, and ``example`` unless it shows how to write it itself."""
    return question if SHOWN in question else f"{question}{example}"


RULES = tuple((question, re.compile(pattern)) for question, pattern in WORDS)


def read_vague(text: str, start: int) -> tuple[int, str] | None:
    """Where such words that begin at ``start`` of a normalised text end, and what to ask back."""
    found = [
        (match.end(), question)
        for question, pattern in RULES
        if (match := pattern.match(text, start))
    ]
    return max(found, key=lambda one: one[0], default=None)
