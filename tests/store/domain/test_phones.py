"""Numbers as people write them."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.domain.phones import (
    Kind,
    all_phones,
    kind_of,
    masked,
    national,
    read_phone,
)
from store.domain.regions import landline_region, mobile_region, with_province

DATA = Path(__file__).parents[3] / "../shared/data"
NOBODYS = {
    "SHORT": "a bank's short code answers nobody's lead and would make one person of many",
    "IOT": "a 13-digit number belongs to a machine",
}
"""Kinds of phone_strings.jsonl that are numbers but never a person's: no Phone is made."""


def lines(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not on this machine")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def read(text):
    try:
        return read_phone(text)
    except ValueError:
        return None


def agrees(text, expected):
    found = read(text)
    if expected is None or expected.get("type") in NOBODYS:
        return found is None
    if "multi" in expected:
        return [phone.e164 for phone in all_phones(text)] == expected["multi"]
    return (found.e164, found.extension) == (expected["e164"], expected.get("ext", ""))


def test_every_published_string_is_read_as_the_reference_does():
    wrong = [
        (case["text"], case["expected"])
        for case in lines("phone_strings.jsonl")
        if not agrees(case["text"], case["expected"])
    ]

    assert wrong == []


def test_kinds_are_those_of_the_reference():
    named = {"MOBILE": Kind.MOBILE, "FIXED_LINE": Kind.FIXED}
    cases = [case for case in lines("phone_strings.jsonl") if case["expected"]]
    told = [case for case in cases if case["expected"].get("type") in named]

    assert [c["text"] for c in told if read(c["text"]).kind != named[c["expected"]["type"]]] == []


def test_province_and_city_of_995_in_1000_prefixes():
    cases = lines("cn_phone_prefix.jsonl")

    right = sum(
        mobile_region(case["prefix7"]) == (case["expected"]["province"], case["expected"]["city"])
        for case in cases
    )

    assert right / len(cases) >= 0.995


@pytest.mark.parametrize(
    ("text", "e164", "extension"),
    [
        ("021-58888888-8001", "+862158888888", "8001"),
        ("021-58888888转123", "+862158888888", "123"),
        ("021-58888888（分机 66）", "+862158888888", "66"),
        ("0755-8601-3388", "+8675586013388", ""),
        ("+86(0)755 86013388", "+8675586013388", ""),
        ("86 010 62770334", "+861062770334", ""),
        ("17012345678-1234", "+8617012345678", "1234"),
        ("013800138000", "+8613800138000", ""),
        ("电话：13800138000（微信同号）", "+8613800138000", ""),
        ("18600000000.00", "+8618600000000", ""),
        ("400-670-1234", "+864006701234", ""),
        ("00852 9123 4567", "+85291234567", ""),
        ("2026-03-02 13800138000", "+8613800138000", ""),
        ("021-58888888*801", "+862158888888", "801"),
        ("0755-86013388（总机）转 6", "+8675586013388", "6"),
        ("1 3 8 0 0 1 3 8 0 0 0", "+8613800138000", ""),
        ("（０２１）５８８８８８８８", "+862158888888", ""),
        ("0571-88888888（801）", "+8657188888888", "801"),
        ("0571-88888888转分机801", "+8657188888888", "801"),
        ("0571-88888888 转接801", "+8657188888888", "801"),
        ("tel:+86-571-88888888;ext=801", "+8657188888888", "801"),
        ("010_62770334", "+861062770334", ""),
        ("138·0013·8000", "+8613800138000", ""),
        ("13,800,138,000", "+8613800138000", ""),
        ("一三八 零零一三 八〇〇〇", "+8613800138000", ""),
        ("138零零138000", "+8613800138000", ""),
    ],
)
def test_a_number_is_read(text, e164, extension):
    phone = read_phone(text)

    assert (phone.e164, phone.extension) == (e164, extension)


@pytest.mark.parametrize(
    "text",
    [
        "660-643-4947",
        "1-660-643-4947",
        "1 (660) 643-4947",
        "(500)669-7905x4556",
        "62770334",
        "755-86013388",
        "110101199001011234",
        "20231113800138000123",
        "138****8000",
        "852 9123 4567",
        "",
    ],
)
def test_what_may_be_something_else_is_never_called_chinese(text):
    assert read_phone(text) is None


@pytest.mark.parametrize("text", ["13800138OOO", "1380O138000", "O10-62770334", "+1 650 253 00OO"])
def test_letters_among_the_digits_are_refused_and_not_dialled(text):
    with pytest.raises(ValueError, match="字母"):
        read_phone(text)


@pytest.mark.parametrize("text", ["1.35E+10", "1.35e10", "'1.35E+10"])
def test_digits_lost_by_excel_are_refused_with_what_to_do(text):
    with pytest.raises(ValueError, match=r"科学计数法.*设为文本"):
        read_phone(text)


def test_a_sentence_gives_its_first_number_and_never_an_error():
    found = all_phones("预算1.5E5，王总13800138000明天联系")

    assert [phone.e164 for phone in found] == ["+8613800138000"]
    assert all_phones("订单 1380O138000") == []


def test_several_numbers_of_one_cell_are_all_kept():
    found = all_phones("010-62770334 021-58888888，13800138000-13900139000")

    assert [phone.e164 for phone in found] == [
        "+861062770334", "+862158888888", "+8613800138000", "+8613900139000",
    ]  # fmt: skip


def test_a_second_desk_of_one_cell_needs_no_area_code():
    numbers = {
        text: [phone.e164 for phone in all_phones(text)]
        for text in (
            "010-62770334/62770335",
            "0571-88888888-801、88888889",
            "010-62770334 20260302",
        )
    }

    assert list(numbers.values()) == [
        ["+861062770334", "+861062770335"],
        ["+8657188888888", "+8657188888889"],
        ["+861062770334"],
    ]


def test_numbers_written_in_groups_are_no_one_long_number_that_means_nothing():
    numbers = {
        text: [phone.e164 for phone in all_phones(text)]
        for text in (
            "138 0013 8000 139 0013 9000",
            "+86 138 0013 8000  0086 139 0013 9000",
            "010 6277 0334 138 0013 8000",
            "2026 03 02 138 0013 8000",
        )
    }

    assert list(numbers.values()) == [
        ["+8613800138000", "+8613900139000"],
        ["+8613800138000", "+8613900139000"],
        ["+861062770334", "+8613800138000"],
        ["+8613800138000"],
    ]


def test_the_region_comes_with_the_number():
    assert str(read_phone("13800138000").region) == "北京"
    assert str(read_phone("0755-86013388").region) == "广东深圳"
    assert str(read_phone("+852 9123 4567").region) == ""


def test_a_shared_area_code_means_its_biggest_city():
    assert landline_region("028") == ("四川", "成都")
    assert landline_region("0000") == ("", "")


def test_a_city_alone_is_given_its_province():
    assert with_province("苏州工业园") == "江苏苏州工业园"
    assert with_province("上海浦东") == "上海浦东"
    assert with_province("火星") == "火星"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("440305", "广东深圳"), ("440300000000", "广东深圳"), ("CN-44", "广东"), ("４４０３０５", "广东深圳"),
        ("Guangdong", "广东"), ("Shaanxi Province", "陕西"), ("Xi'an", "陕西西安"),
        ("廣東深圳", "广东深圳"), ("臺灣", "台湾"), ("襄樊", "湖北襄阳"), ("沪", "上海"),
        ("999999", "999999"), ("Berlin", "Berlin"), ("王", "王"),
    ],
)  # fmt: skip
def test_a_region_is_known_by_its_code_and_in_other_spellings(text, region):
    assert with_province(text) == region


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("青岛市市南区香港中路18号", "山东青岛市市南区香港中路18号"),
        ("海南藏族自治州", "青海海南藏族自治州"), ("中国苏州", "江苏苏州"), ("朝阳区", "朝阳区"),
        ("昆山市", "江苏苏州昆山市"), ("浦东新区", "上海浦东新区"), ("内蒙呼市", "内蒙古呼市"), ("义乌", "浙江金华义乌"),
    ],
)  # fmt: skip
def test_a_street_or_a_district_is_no_province_and_a_county_has_one(text, region):
    assert with_province(text) == region


def test_every_prefecture_is_found_by_its_code():
    path = DATA / "ref/cn_area_2026.csv"
    if not path.exists():
        pytest.skip(f"{path.name} is not on this machine")
    rows = csv.DictReader(path.read_text("utf-8").splitlines())

    wrong = [
        row
        for row in rows
        if row["district_code"].isdigit()
        and with_province(row["district_code"])[:2] != row["province_name"][:2]
    ]

    assert wrong == []


def test_a_hotline_and_a_desk_are_told_from_a_mobile():
    numbers = ("+8613800138000", "+861062770334", "+864006701234", "+16502530000", "660-643")

    assert [kind_of(number) for number in numbers] == [
        Kind.MOBILE, Kind.FIXED, Kind.SERVICE, Kind.OTHER, Kind.OTHER,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+8613800138000", "138****8000"),
        ("+8675586013388", "0755-****3388"),
        ("+861062770334", "010-****0334"),
        ("+85291234567", "852****4567"),
        ("660-643-4947", "660****4947"),
        ("138****8000", "138****8000"),
        ("138001380*0", "138****3800"),
        ("95588", "9****8"),
        ("zhang@x.cn", "z***@x.cn"),
        ("王小明", "王*"),
        ("欧阳修", "欧阳*"),
        ("", ""),
    ],
)
def test_what_others_see_hides_the_middle(text, shown):
    assert masked(text) == shown


def test_a_number_is_shown_as_it_is_dialled():
    assert national("+8613800138000") == "13800138000"
    assert national("+8675586013388") == "0755-86013388"
    assert national("+16502530000") == "+16502530000"


@given(st.text(max_size=60) | st.from_regex(r"[+0-9()\-. *x转/、eE]{0,40}", fullmatch=True))
def test_any_text_gives_a_number_nothing_or_a_reason(text):
    found = read(text)

    assert found is None or found.e164.startswith("+")
    assert isinstance(masked(text), str)


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_what_is_shown_never_holds_the_whole_number(number):
    assert number not in masked(number)
    assert number not in masked("+86" + number)
