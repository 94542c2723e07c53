"""Text people typed, made safe to keep, and whether two names can be one person's."""

import re
import unicodedata

NAME_LIMIT = 100
ZWJ = "\u200d"  # joins emoji into one; everything else that cannot be seen goes

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
SURNAMES = (
    "欧阳|司马|上官|诸葛|夏侯|皇甫|尉迟|公孙|慕容|令狐|司徒|端木|南宫|宇文|"
    "[王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林郑谢罗梁宋唐许韩冯邓曹彭曾肖萧田董袁潘于蒋蔡余杜叶程苏魏吕丁任"
    "沈姚卢姜崔钟谭陆汪范金石廖贾夏韦傅方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
    "温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍"
    "涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景"
    "党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝]"
)
_COMPOUND = "欧阳|太史|上官|端木|司马|东方|独孤|南宫|夏侯|诸葛|尉迟|皇甫|宇文|长孙|慕容|司徒|令狐|公孙|轩辕|申屠|呼延|拓跋"
_LONG_TITLES = (
    "先生|女士|小姐|太太|夫人|同学|老师|教授|博士|医生|律师|师傅|老板|老总|总经理|副总|总监|董事长|董事|经理|主任|主管|"
    "部长|科长|处长|院长|校长|厂长|店长|工程师|助理|秘书|会计|大哥|大姐|阿姨|叔叔|"
    "副总经理|总工程师|总工|总助|行长|会长|秘书长|书记|区长|站长|队长|组长|班长|所长|馆长|园长|社长|"
    "大夫|医师|护士|护士长|教练|编辑|记者|设计师|顾问|专员|代表|采购|采购经理|销售|销售经理|项目经理|"
    "客户经理|总裁|业务员|店员|团长|负责人|联系人|客服|人事|行政|法务|财务|出纳|前台|商务|业主|"
    "[\u4e00-\u9fff]{2,3}(?:经理|总监|主任|主管|助理|专员|顾问|总裁)|ceo|cto|cfo|coo|cmo|hr|boss|店主|家长|妈妈|爸爸|同志|帅哥|美女|警官|法官|导演|老板娘|某某"
)
_HIS = frozenset({"先生", "大哥", "叔叔", "帅哥", "爸爸", "哥", "mr"})
_HERS = frozenset(
    {"女士", "小姐", "太太", "夫人", "大姐", "阿姨", "美女", "妈妈", "姐", "mrs", "ms", "miss"}
)
_SURNAME = re.compile(rf"{_COMPOUND}|[\u3400-\u9fff]")
_TITLED = re.compile(rf"(?P<who>.+?)(?P<title>{_LONG_TITLES})")
_SHORT = re.compile(rf"(?P<who>{_COMPOUND}|[\u3400-\u9fff])(?P<title>[总工董哥姐局处科导老某])")
_FAMILIAR = re.compile(r"(?P<title>[小老阿])(?P<who>[\u4e00-\u9fff])")
_HIDDEN = re.compile(rf"(?P<who>{_COMPOUND}|[\u3400-\u9fff])(?P<title>\*+|x+)")
"""As an advertiser's platform hands a name over: 王**."""
_MR = re.compile(r"(?P<title>mrs|mr|ms|miss|dr|prof)\.?\s+(?P<who>.+)")
_HAN = re.compile(r"[\u3400-\u9fff]")


def clean(text: str, *, lines: bool = False) -> str:
    """The text without what cannot be seen: controls, direction marks, zero widths, half characters.

    Blanks are collapsed; with ``lines`` line breaks stay, at most one empty line in a row.
    """
    text = unicodedata.normalize("NFC", text)
    if text.isprintable():
        return " ".join(text.split())
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    seen = "".join(map(_shown, text, " " + text[:-1])) if text else ""
    if not lines:
        return " ".join(seen.split())
    kept = "\n".join(" ".join(line.split()) for line in seen.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", kept).strip()


def _shown(char: str, before: str) -> str:
    if char in "\n\t\u2028\u2029":
        return "\t" if char == "\t" else "\n"
    if char == ZWJ:
        return char if unicodedata.category(before) in {"So", "Sk", "Mn"} else ""
    return "" if unicodedata.category(char) in _UNSEEN or _is_no_character(char) else char


def _is_no_character(char: str) -> bool:
    """U+FFFE, U+FFFF and their like, which XML refuses; a new emoji is only unknown to us."""
    return ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF


def fold(text: str) -> str:
    """What is compared instead of the text: width, case, blanks and punctuation do not count."""
    text = unicodedata.normalize("NFKC", clean(text)).casefold()
    text = re.sub(r"\([^)]*\)", "", text) or text
    return "".join(char for char in text if unicodedata.category(char)[0] in "LNS")


def same_person_name(a: str, b: str) -> bool | None:
    """True: the same name. None: nothing against it (blank, 张先生 and 张三). False: two people."""
    one, two = fold(a), fold(b)
    if not one or not two:
        return None
    hidden = "*" in {_parts(a)[1], _parts(b)[1]}
    if not hidden and (one == two or _words(a) == _words(b)):
        return True
    return _titled(a, b)


def _titled(a: str, b: str) -> bool | None:
    (who_a, title_a), (who_b, title_b) = _parts(a), _parts(b)
    if (title_a in _HIS and title_b in _HERS) or (title_a in _HERS and title_b in _HIS):
        return False
    if who_a == who_b:
        return None if title_a and title_b else not _is_surname(who_a)
    short, long = sorted((who_a, who_b), key=len)
    if (title_a or title_b) and _is_surname(short) and long.startswith(short):
        return None
    return _abbreviated(a, b)


def _parts(name: str) -> tuple[str, str]:
    """The name without its title, and the title: ``张经理`` → ``张, 经理``."""
    text = unicodedata.normalize("NFKC", clean(name)).casefold()
    if found := _HIDDEN.fullmatch(text):
        return found["who"], "*"
    if found := _MR.fullmatch(text):
        return fold(found["who"]), found["title"]
    text = fold(name)
    for form in (_TITLED, _SHORT, _FAMILIAR):
        if found := form.fullmatch(text):
            return found["who"], found["title"]
    return text, ""


def _is_surname(text: str) -> bool:
    return bool(_SURNAME.fullmatch(text))


def _words(name: str) -> list[str]:
    """The words of a Latin name in no order: ``Joe Szyslak`` and ``SZYSLAK, Joe`` are one."""
    text = re.sub(r"[^\w]+", " ", unicodedata.normalize("NFKC", clean(name)).casefold())
    text = re.sub(r"^(mrs|mr|ms|miss|dr|prof) ", "", text)
    return sorted(text.split())


def _abbreviated(a: str, b: str) -> bool | None:
    """None when one is the other with words left out or cut to an initial (Aimee H.)."""
    if _HAN.search(a + b):
        return False
    short, long = sorted((_words(a), _words(b)), key=lambda words: len("".join(words)))
    left = list(long)
    for word in short:
        fits = [w for w in left if w == word or (len(word) == 1 and w.startswith(word))]
        if not fits:
            return False
        left.remove(fits[0])
    return None if short else False


def masked_name(name: str) -> str:
    """The first character, or the compound surname, and a star: ``王*``, ``欧阳*``."""
    name = clean(name)
    surname = _SURNAME.match(name)
    return (surname[0] if surname else name[0]) + "*" if name else ""
