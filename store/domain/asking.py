"""Which of the amounts in a follow-up is the deal's: not the customer's turnover, nor a rival's price."""

import re

from store.domain.money import Amount, Doubt, doubts, find_amounts
from store.domain.numerals import normalise

GAP = r"[^，。；！,;!\d]"
# The customer's own size, what others ask, what is taken off, what was paid once.
ANOTHER = re.compile(
    r"(?:营收|营业额|营业收入|销售额|产值|注册资[金本]|注册\s*资金|注资|融资|估值|市值|年收入|流水|净?利润|年产|资产"
    r"|别家|别人家?|人家|竞品|竞争对手|对手|同行|友商|其他家|其他供应商|另一家"
    r"|优惠|便宜(?!到|至)|降(?!到|至|为|成)了?|减免|省|返点?|补贴|罚款?|欠"
    rf"|去年|前年|往年|以前花){GAP}{{0,8}}$"
)
TOTAL = re.compile(
    rf"(?:总价|总共|总计|总额|总金额|共计|一共|合计|加起来|打包价?|合同额|合同金额|成交价?){GAP}{{0,4}}$"
)
OURS = re.compile(rf"(?:我们|我方|我司|咱们?){GAP}{{0,5}}$")
PART = re.compile(
    rf"(?:每[台套个人件年月家次]|单价|一[台套个件]|定金|订金|首付|尾款|预付款?|押金|原来|原价|原报价|之前){GAP}{{0,4}}$"
)
PER_PIECE = re.compile(r"\s*(?:[/每一])\s*(?:台|套|个|人|件|次|家)")
MOVED = re.compile(
    rf"\s*(?:[-=]+>|→)|\s*{GAP}{{0,3}}(?:降|减|谈|砍|压|涨|提|调|改|加|优惠|打折){GAP}{{0,4}}(?:到|至|为|成)"
)
DOWN = re.compile(r"[到至]")


def asked_for(text: str, plain: str) -> int | None:
    """Whole yuan of the deal; None when no amount is. ``plain``: the text with its times blank."""
    best = deal(text, plain)
    return _last_of(normalise(text), best) if best else None


def deal(text: str, plain: str) -> Amount | None:
    """The amount that is the deal's, of all that are named; never one without an end."""
    said = normalise(text)
    ranked = [
        (rank, place, one)
        for place, one in enumerate(find_amounts(plain))
        if not one.vague and (rank := _rank(said, one)) is not None
    ]
    best = min(ranked, default=None, key=lambda entry: entry[:2])
    return best[2] if best else None


def to_ask(text: str, plain: str) -> Doubt | None:
    """Money of the deal that is not booked, because nobody can say how much it is."""
    said = normalise(text)
    return next(
        (d for d in doubts(plain) if not ANOTHER.search(said[max(0, d.start - 24) : d.start])),
        None,
    )


def _rank(said: str, one: Amount) -> int | None:
    """0 the total, 1 our price, 2 an amount, 3 a part or what it was before; None: no deal of ours."""
    before = said[max(0, one.start - 24) : one.start]
    if ANOTHER.search(before):
        return None
    if MOVED.match(said, one.end) or PER_PIECE.match(said, one.end) or PART.search(before):
        return 3
    if TOTAL.search(before):
        return 0
    return 1 if OURS.search(before) else 2


def _last_of(said: str, one: Amount) -> int:
    """从15万到12万 ends at 12万; a range that goes up is a range."""
    if one.upper is None and said[: one.start].rstrip().endswith("从"):
        ends = DOWN.split(said[one.start : one.end])[-1]
        return next((last.yuan for last in find_amounts(ends)), one.yuan)
    return one.yuan
