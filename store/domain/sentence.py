"""Who is meant by a sentence somebody typed or pasted."""

import re
from collections.abc import Iterator

from store.domain.emails import read_email
from store.domain.names import SURNAMES
from store.domain.phones import Phone, all_phones
from store.domain.regions import place_named

EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
WECHAT = re.compile(
    r"(?:微信号?|wechat|(?<![A-Za-z])wx(?!id_))\s*[:：]?\s*([A-Za-z][A-Za-z0-9_-]{4,29})"
    r"|(?<![A-Za-z0-9_])(wxid_[A-Za-z0-9_-]{3,24})",
    re.IGNORECASE,
)
COMPANY = re.compile(
    r"[\u4e00-\u9fffA-Za-z0-9（）()]{2,40}?(?:公司|集团|工厂|厂|店|学校|医院|中心)"
)
FIRM = ("公司", "集团")
TRADE = re.compile(
    r"[\u4e00-\u9fffA-Za-z0-9]{2,16}(?:科技|电子|贸易|商贸|实业|网络|软件|信息|传媒|汽车|医药|生物|机械|建材|"
    r"食品|服饰|物流|地产|置业|股份|控股|酒店|餐饮|能源|化工|智能|文化|电器|家居|制造|重工|光电|材料|银行)"
)
"""A firm's short name: 云栖科技."""
WISH = re.compile(
    r"想|要|需|买|采购|求购|咨询|询|了解|安装|搭建|打算|准备|希望|考虑|对接|报价|推荐|介绍|了|今天|明天|昨天"
)
PRODUCT = re.compile(
    r".{0,4}?(?:呼叫|客服|联络|坐席|座席|数据|用户|会员|短信|消息|网|开|到|进)(?:中心|店|厂)"
)
LATIN = r"[A-Za-z][A-Za-z.'-]*(?: [A-Z][A-Za-z.'-]*){0,2}"
NAME = re.compile(
    r"(?P<label>(?:客户)?(?:姓名|名称)|联系人|称呼|客户|我叫|我是|叫做?)(?P<mark>\s*[:：]\s*|\s*)"
    r"(?P<name>[\u4e00-\u9fff·]{2,12})"
    rf"|(?:联系人|姓名|称呼|客户|\bname|\bcontact)\s*[:：]\s*(?P<latin>{LATIN})(?!\s*[:：])",
    re.IGNORECASE,
)
CALLED = re.compile(r"(?:免贵)?姓(?!名|氏)(?P<name>[\u4e00-\u9fff])")
PERSON = re.compile(rf"(?:[小老阿])?(?:{SURNAMES})[\u4e00-\u9fff·]{{0,3}}")
POLITE = r"(?:先生|女士|小姐|老师|经理|主任|医生|总|董|工)"
ADDRESSED = re.compile(
    rf"(?<![工课过对双三地甲乙多])(?P<name>(?:{SURNAMES})[\u4e00-\u9fff]{{0,2}}?{POLITE})"
    r"(?![\u4e00-\u9fff])"
    rf"|(?:的|是|找|联系)(?P<told>(?:[小老阿])?(?:{SURNAMES})[\u4e00-\u9fff]{{0,2}}?{POLITE}?)(?=的|$|[^\u4e00-\u9fff])"
)
"""Inside a piece: 云栖科技的王总, 腾飞电子李经理, 都是王总的号."""
TITLE = re.compile(
    r"(?:副|高级|资深|区域|大区|销售|市场|采购|技术|项目|产品|客户|运营|财务|行政|人事|人力|生产|工程|研发|信息|"
    r"信息化|IT|业务|总|执行|董事)*"
    r"(?:总监|经理|主管|主任|部长|厂长|校长|院长|店长|园长|董事长|总裁|CEO|CTO|CIO|CFO|COO|VP|负责人|"
    r"创始人|合伙人|工程师|采购|老板|法人)",
    re.IGNORECASE,
)
LABELLED = {
    "company": re.compile(
        r"(?:公司名称|公司|单位|企业|company)\s*(?:[:：]|是|叫)\s*([^\s,，;；。|:：]{2,40}(?: [A-Z]\w+){0,3})", re.IGNORECASE
    ),
    "title": re.compile(r"(?:职位|职务|岗位|title)\s*(?:[:：]|是)\s*([^\s,，;；。|:：]{2,20})", re.IGNORECASE),
    "product": re.compile(
        r"(?:意向产品|感兴趣的产品|产品|product)\s*(?:[:：]|是)\s*([^,，;；。|:：\n]{2,40})", re.IGNORECASE
    ),
    "industry": re.compile(r"(?:行业|industry)\s*(?:[:：]|是)\s*([^\s,，;；。|:：]{2,20})", re.IGNORECASE),
}  # fmt: skip
"""What somebody names before saying it: 公司：…, 职位：…."""
BEFORE_CONTACT = re.compile(r"客户\s*[:：]\s*([\u4e00-\u9fffA-Za-z0-9]{2,40})[\s,，;；、|]+联系人")
NO_NAME = re.compile(
    rf"{WISH.pattern}|打|来|去|在|说|问|的|了|是|有|没|吗|呢|电话|手机|微信|方案|项目|系统|公司|客户|先谈|刚|用|做|看"
)
LABEL = re.compile(
    r"姓名|名称|称呼|联系人|联系|城市|地区|行业|职位|意向|产品|留言|需求|备注|邮箱|号码|性别"
)
NUMBER = re.compile(r"\+?\d[\d -]{5,}\d")
PIECES = re.compile(r"[\s,，;；、|/:：。（）()【】\[\]《》<>“”\"]+")


def read_values(text: str) -> dict[str, str]:
    """The fields of a lead that a sentence tells, by their public names."""
    email, wechat = EMAIL.search(text), WECHAT.search(text)
    return {
        "phone": "；".join(map(_written, all_phones(text)[:MOST_PHONES])),
        "email": email[0] if email and read_email(email[0]) else "",
        "wechat": (wechat[1] or wechat[2]) if wechat else "",
        "company": _company(text),
        "name": _name(text),
        "title": _title(text),
        "region": place_named(text),
        **{name: _labelled(name, text) for name in ("product", "industry")},
    }


MOST_PHONES = 4


def _written(phone: Phone) -> str:
    return f"{phone.e164}转{phone.extension}" if phone.extension else phone.e164


def _labelled(field: str, text: str) -> str:
    found = LABELLED[field].search(text)
    return found[1].strip() if found else ""


def _company(text: str) -> str:
    """A 公司 or 集团 is one; a 中心, 店 or 厂 only when it is not what is wanted."""
    bare = NUMBER.sub(" ", text)
    found = [match[0] for match in COMPANY.finditer(bare)]
    whole = (name for name in found if name.endswith(FIRM) and len(name) > SHORT)
    some = (name for name in found if not name.endswith(FIRM) and not _wanted(name))
    told = (_labelled("company", text), *BEFORE_CONTACT.findall(text))
    return next((name for name in (*whole, *told, *some, *_trades(bare)) if name), "")


SHORT = 3
"""我公司, 本集团: nobody's name."""


def _wanted(name: str) -> bool:
    return bool(WISH.search(name) or PRODUCT.fullmatch(name))


def _trades(text: str) -> Iterator[str]:
    """The firms called by their trade, before whoever works there: 云栖科技的王总."""
    for piece in PIECES.split(text):
        found = TRADE.match(piece)
        rest = piece[found.end() :] if found else ""
        if (
            found
            and not NO_NAME.search(found[0])
            and (not rest or ADDRESSED.search(rest) or PERSON.match(rest))
        ):
            yield found[0]


def _title(text: str) -> str:
    pieces = PIECES.split(NUMBER.sub(" ", text))
    return _labelled("title", text) or next(filter(TITLE.fullmatch, pieces), "")


def _name(text: str) -> str:
    """After 姓名, 联系人 or 姓, else the first piece that looks like a name."""
    bare = NUMBER.sub(" ", text)
    # 客户 may be a firm: who is to be called wins.
    for labelled in sorted(NAME.finditer(bare), key=lambda found: found["label"] == "客户"):
        if name := labelled["latin"] or _told(labelled):
            return name
    if called := CALLED.search(bare):
        return called["name"]
    pieces = [piece for piece in PIECES.split(EMAIL.sub(" ", bare)) if _may_be_name(piece)]
    person = next(filter(PERSON.match, pieces), "")
    addressed = ADDRESSED.search(bare)
    inside = (addressed["name"] or addressed["told"]) if addressed else ""
    return person or inside or (pieces[0] if pieces else "")


def _told(found: re.Match[str]) -> str:
    """What stands before 想, 打, 来 …; with no colon it must begin with a surname."""
    name = NO_NAME.split(found["name"])[0]
    named = found["mark"].strip() or PERSON.fullmatch(name)
    return name if named and 2 <= len(name) <= 6 and not TRADE.fullmatch(name) else ""


def _may_be_name(piece: str) -> bool:
    if re.fullmatch(r"[A-Z][a-z]+", piece):
        return True
    han = re.fullmatch(r"[\u4e00-\u9fff·]{2,4}(?:先生|女士|总|经理)?", piece)
    other = NO_NAME.search(piece) or LABEL.search(piece) or TITLE.fullmatch(piece)
    return bool(han) and not (
        other or place_named(piece) or COMPANY.search(piece) or TRADE.fullmatch(piece)
    )
