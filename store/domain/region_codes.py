"""Administrative regions by their codes and other spellings: 440305, Guangdong, 廣東, 粤.

The codes are those of GB/T 2260, to the prefecture; a county's code names its prefecture.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

TABLE = """
11北京; 12天津; 13河北 01石家庄 02唐山 03秦皇岛 04邯郸 05邢台 06保定 07张家口 08承德 09沧州
10廊坊 11衡水; 14山西 01太原 02大同 03阳泉 04长治 05晋城 06朔州 07晋中 08运城 09忻州 10临汾
11吕梁; 15内蒙古 01呼和浩特 02包头 03乌海 04赤峰 05通辽 06鄂尔多斯 07呼伦贝尔 08巴彦淖尔
09乌兰察布 22兴安 25锡林郭勒 29阿拉善; 21辽宁 01沈阳 02大连 03鞍山 04抚顺 05本溪 06丹东 07锦州
08营口 09阜新 10辽阳 11盘锦 12铁岭 13朝阳 14葫芦岛; 22吉林 01长春 02吉林 03四平 04辽源 05通化
06白山 07松原 08白城 24延边; 23黑龙江 01哈尔滨 02齐齐哈尔 03鸡西 04鹤岗 05双鸭山 06大庆 07伊春
08佳木斯 09七台河 10牡丹江 11黑河 12绥化 27大兴安岭; 31上海; 32江苏 01南京 02无锡 03徐州
04常州 05苏州 06南通 07连云港 08淮安 09盐城 10扬州 11镇江 12泰州 13宿迁; 33浙江 01杭州 02宁波
03温州 04嘉兴 05湖州 06绍兴 07金华 08衢州 09舟山 10台州 11丽水; 34安徽 01合肥 02芜湖 03蚌埠
04淮南 05马鞍山 06淮北 07铜陵 08安庆 10黄山 11滁州 12阜阳 13宿州 14巢湖 15六安 16亳州 17池州
18宣城; 35福建 01福州 02厦门 03莆田 04三明 05泉州 06漳州 07南平 08龙岩 09宁德; 36江西 01南昌
02景德镇 03萍乡 04九江 05新余 06鹰潭 07赣州 08吉安 09宜春 10抚州 11上饶; 37山东 01济南 02青岛
03淄博 04枣庄 05东营 06烟台 07潍坊 08济宁 09泰安 10威海 11日照 12莱芜 13临沂 14德州 15聊城
16滨州 17菏泽; 41河南 01郑州 02开封 03洛阳 04平顶山 05安阳 06鹤壁 07新乡 08焦作 09濮阳 10许昌
11漯河 12三门峡 13南阳 14商丘 15信阳 16周口 17驻马店; 42湖北 01武汉 02黄石 03十堰 05宜昌
06襄阳 07鄂州 08荆门 09孝感 10荆州 11黄冈 12咸宁 13随州 28恩施; 43湖南 01长沙 02株洲 03湘潭
04衡阳 05邵阳 06岳阳 07常德 08张家界 09益阳 10郴州 11永州 12怀化 13娄底 31湘西; 44广东 01广州
02韶关 03深圳 04珠海 05汕头 06佛山 07江门 08湛江 09茂名 12肇庆 13惠州 14梅州 15汕尾 16河源
17阳江 18清远 19东莞 20中山 51潮州 52揭阳 53云浮; 45广西 01南宁 02柳州 03桂林 04梧州 05北海
06防城港 07钦州 08贵港 09玉林 10百色 11贺州 12河池 13来宾 14崇左; 46海南 01海口 02三亚 03三沙
04儋州; 50重庆; 51四川 01成都 03自贡 04攀枝花 05泸州 06德阳 07绵阳 08广元 09遂宁 10内江 11乐山
13南充 14眉山 15宜宾 16广安 17达州 18雅安 19巴中 20资阳 32阿坝 33甘孜 34凉山; 52贵州 01贵阳
02六盘水 03遵义 04安顺 05毕节 06铜仁 23黔西南 26黔东南 27黔南; 53云南 01昆明 03曲靖 04玉溪
05保山 06昭通 07丽江 08普洱 09临沧 23楚雄 25红河 26文山 28西双版纳 29大理 31德宏 33怒江
34迪庆; 54西藏 01拉萨 02日喀则 03昌都 04林芝 05山南 06那曲 25阿里; 61陕西 01西安 02铜川 03宝鸡
04咸阳 05渭南 06延安 07汉中 08榆林 09安康 10商洛; 62甘肃 01兰州 02嘉峪关 03金昌 04白银 05天水
06武威 07张掖 08平凉 09酒泉 10庆阳 11定西 12陇南 29临夏 30甘南; 63青海 01西宁 02海东 22海北
23黄南 25海南 26果洛 27玉树 28海西; 64宁夏 01银川 02石嘴山 03吴忠 04固原 05中卫; 65新疆
01乌鲁木齐 02克拉玛依 04吐鲁番 05哈密 23昌吉 27博尔塔拉 28巴音郭楞 29阿克苏 30克孜勒苏 31喀什
32和田 40伊犁 42塔城 43阿勒泰; 71台湾; 81香港; 82澳门
"""
"""A province's two digits and name, then the next two digits and the name of each of its prefectures."""
ENGLISH = (
    "beijing北京 tianjin天津 hebei河北 shanxi山西 innermongolia内蒙古 neimenggu内蒙古 neimongol内蒙古 "
    "liaoning辽宁 jilin吉林 heilongjiang黑龙江 shanghai上海 jiangsu江苏 zhejiang浙江 anhui安徽 fujian福建 "
    "jiangxi江西 shandong山东 henan河南 hubei湖北 hunan湖南 guangdong广东 guangxi广西 hainan海南 "
    "chongqing重庆 sichuan四川 guizhou贵州 yunnan云南 tibet西藏 xizang西藏 shaanxi陕西 gansu甘肃 "
    "qinghai青海 ningxia宁夏 xinjiang新疆 hongkong香港 macau澳门 macao澳门 taiwan台湾 "
    "shenzhen广东深圳 guangzhou广东广州 hangzhou浙江杭州 ningbo浙江宁波 nanjing江苏南京 wuxi江苏无锡 "
    "chengdu四川成都 wuhan湖北武汉 xian陕西西安 qingdao山东青岛 jinan山东济南 dalian辽宁大连 "
    "shenyang辽宁沈阳 xiamen福建厦门 changsha湖南长沙 zhengzhou河南郑州 hefei安徽合肥 kunming云南昆明 "
    "dongguan广东东莞 foshan广东佛山 zhuhai广东珠海 harbin黑龙江哈尔滨"
)
SHORT = (
    "京北京 津天津 冀河北 晋山西 蒙内蒙古 辽辽宁 吉吉林 黑黑龙江 沪上海 申上海 苏江苏 浙浙江 皖安徽 闽福建 赣江西 "
    "鲁山东 豫河南 鄂湖北 湘湖南 粤广东 桂广西 琼海南 渝重庆 川四川 蜀四川 贵贵州 黔贵州 云云南 滇云南 藏西藏 "
    "陕陕西 秦陕西 甘甘肃 陇甘肃 青青海 宁宁夏 新新疆 港香港 澳澳门 台台湾"
)
RENAMED = {"襄樊": "襄阳", "思茅": "普洱", "通什": "五指山"}
SEATS = """
北京 海淀 中关村 亦庄 通州区; 天津 河北区 滨海新区; 上海 浦东 张江 松江 嘉定 闵行 徐汇 静安 虹桥;
江苏苏州 昆山 常熟 太仓 张家港; 江苏无锡 江阴 宜兴; 浙江宁波 慈溪 余姚; 浙江金华 义乌 东阳 永康;
浙江嘉兴 海宁 桐乡 平湖; 浙江绍兴 诸暨 柯桥; 浙江温州 乐清 瑞安; 浙江杭州 萧山 余杭 滨江;
福建泉州 晋江 石狮; 广东广州 番禺 天河区; 广东深圳 宝安 龙岗 前海 福田; 广东佛山 顺德 南海区;
湖南长沙 浏阳; 山东烟台 龙口; 山东潍坊 寿光; 江苏南京 江宁; 广西防城港 东兴市; 重庆 渝北 江北嘴;
四川成都 双流 天府新区; 湖北武汉 光谷; 陕西西安 西咸新区; 河北保定 雄安
"""
"""Places that are named without their city, behind the city they belong to."""
COUNTIES: Mapping[str, str] = {
    county: seat
    for seat, *counties in (part.split() for part in SEATS.split(";"))
    for county in counties
}
_TRADITIONAL = str.maketrans(
    "廣東龍遼寧蘇慶貴雲陝肅夏陽門瀋濟鄭長漢島臺灣內蘭溫滬連煙廈貴無錫揚鎮鹽紹興麗義烏區縣",
    "广东龙辽宁苏庆贵云陕肃夏阳门沈济郑长汉岛台湾内兰温沪连烟厦贵无锡扬镇盐绍兴丽义乌区县",
)
_CODE = re.compile(r"(?:cn-?)?(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})")


def spelled_out(text: str) -> str:
    """The region in simplified Chinese where ``text`` is a code or another spelling of one.

    What is none of them is given back as it is.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if found := _CODE.fullmatch(plain.casefold()):
        return _of_code(found[1]) or text
    if plain.isascii():
        return _english().get(_letters(plain), text)
    if len(plain) == 1:
        return _short().get(plain, text)
    return _renamed(plain.translate(_TRADITIONAL))


def _of_code(code: str) -> str:
    province = _codes().get(code[:2], "")
    city = _codes().get(code[:4], "") if len(code) > 2 else ""
    return province + city if province else ""


def _letters(text: str) -> str:
    """``Guangdong Province`` and ``Xi'an`` as the table spells them."""
    bare = re.sub(r"\b(province|city|municipality|sheng|shi|sar|china)\b", "", text.casefold())
    return re.sub(r"[^a-z]", "", bare)


def _renamed(text: str) -> str:
    text = re.sub("内蒙(?!古)", "内蒙古", text)
    for old, new in RENAMED.items():
        text = text.replace(old, new)
    return text


@cache
def _codes() -> dict[str, str]:
    codes: dict[str, str] = {}
    for part in TABLE.split(";"):
        province, *cities = part.split()
        codes[province[:2]] = province[2:]
        codes |= {province[:2] + city[:2]: city[2:] for city in cities}
    return codes


@cache
def _english() -> dict[str, str]:
    return {found[1]: found[2] for found in re.finditer(r"([a-z]+)(\S+)", ENGLISH)}


@cache
def _short() -> dict[str, str]:
    return {entry[0]: entry[1:] for entry in SHORT.split()}
