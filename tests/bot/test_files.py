"""Files as people really have them."""

import csv
import io
import json
import zipfile
from contextlib import suppress
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.files import Sheet, lead_rows, lead_sheets, neutralise, read_tables
from bot.files.headings import column, unique
from store.domain.intake import UNREACHABLE, BadFields, read_fields
from tests.store.domain.people import Ask, People, Same

IMPORTS = Path(__file__).parents[2] / "../shared/data/imports"
needs_files = pytest.mark.skipif(not IMPORTS.exists(), reason="the shared test files are absent")
EXPECTED = (
    [json.loads(line) for line in (IMPORTS / "EXPECTED.jsonl").read_text("utf-8").splitlines()]
    if IMPORTS.exists()
    else []
)
BROKEN = sorted((IMPORTS / "broken_csv").glob("*.csv"))


def xlsx(*rows, **cells):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for place, value in cells.items():
        book.active[place] = value
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def rows_of(data):
    return [row for sheet in lead_sheets(read_tables(data))[0] for row in lead_rows(sheet)]


def of(text):
    return rows_of(text.encode())


# -- cell for cell ------------------------------------------------------------


@needs_files
@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case["file"])
def test_a_real_file_is_read_cell_for_cell(case):
    sheets = read_tables((IMPORTS / case["file"]).read_bytes())

    assert {sheet.name: sheet.rows for sheet in sheets} == case["sheets"]
    assert [type(c) for s in sheets for r in s.rows for c in r] == [
        type(c) for rows in case["sheets"].values() for r in rows for c in r
    ]


@needs_files
@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name)
def test_a_broken_csv_becomes_the_repaired_one(path):
    fixed = (path.parent / "expected" / path.name).read_text("utf-8")

    [sheet] = read_tables(path.read_bytes())

    assert [unique(sheet.rows[0]), *sheet.rows[1:]] == list(csv.reader(io.StringIO(fixed)))


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "姓名,手机号\n王小明,13800138000\n"),
        ("utf-8-sig", "姓名,手机号\n王小明,13800138000\n"),
        ("gbk", "姓名,手机号\n王小明,13800138000\n"),
        ("gb18030", "姓名,手机号\n王㐂明㎡,13800138000\n"),
        ("big5", "姓名,手機號碼\n王小明,13800138000\n"),
        ("utf-16", "姓名,手机号\n王小明,13800138000\n"),
        ("utf-16-le", "姓名,手机号\n王小明,13800138000\n"),
        ("utf-16-be", "姓名,手机号\n王小明,13800138000\n"),
        ("utf-32", "姓名,手机号\n王小明,13800138000\n"),
        ("latin-1", "name,phone\nJosé Müller,13800138000\n"),
        ("cp1252", "name,phone\nZoë “Zo” Šik,13800138000\n"),
    ],
)
def test_any_encoding_gives_the_same_cells(encoding, text):
    [sheet] = read_tables(text.encode(encoding))

    assert sheet.rows == [line.split(",") for line in text.splitlines()]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_any_delimiter_and_line_end_gives_the_same_cells(delimiter, end):
    text = end.join(["姓名|手机号|备注", '王明|13800138000|"甲|乙"', "李雷|13900139000|"])

    [sheet] = read_tables(text.replace("|", delimiter).encode())

    assert sheet.rows[1] == ["王明", "13800138000", f"甲{delimiter}乙"]


def test_excels_own_line_about_the_delimiter_is_no_row():
    assert read_tables(b"sep=;\r\na;b,c\r\n")[0].rows == [["a", "b,c"]]


def test_an_open_quote_harms_only_its_own_row_and_a_long_cell_stays_whole():
    text = (
        'name,phone,notes\nA,13800138000,"open\nB,13800138001,"one\ntwo"\nC,13800138002,"x, y"z\n'
    )

    [sheet] = read_tables(text.encode())

    assert [row[2] for row in sheet.rows[1:]] == ["open", "one\ntwo", "x, yz"]


def test_what_a_workbook_holds_keeps_its_type():
    day = date(2026, 3, 2)
    data = xlsx(["手机", "a", "b", "c", "d"], [13800138000, 1.5, day, None, True])

    [sheet] = read_tables(data)

    assert sheet.rows[1] == [13800138000, 1.5, day, None, True]


def test_empty_rows_above_do_not_shift_the_numbers_people_see():
    [row] = rows_of(xlsx(B3="手机", B4="13800138000"))

    assert (row.number, row.values) == (4, {"phone": "13800138000"})


# -- what is refused ----------------------------------------------------------


def refusal(data):
    with pytest.raises(ValueError, match=r"[\u4e00-\u9fff]") as refused:
        rows_of(data)
    return str(refused.value)


def zipped(**members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_two_cells_far_apart_are_refused_before_they_fill_the_memory():
    assert "太大" in refusal(xlsx(A1="手机", XFD1048576="1"))


def test_cells_without_a_place_in_a_row_far_down_are_refused():
    sheet = b'<row r="1048576">' + b"<c><v>1</v></c>" * 2000 + b"</row>"

    assert "太大" in refusal(zipped(**{"xl/workbook.xml": b"<x/>", "xl/worksheets/s.xml": sheet}))


def test_a_bomb_is_refused_unopened():
    zeros = {f"xl/{n}": bytes(50 * 2**20) for n in range(5)}

    assert "太大" in refusal(zipped(**{"xl/workbook.xml": b"<x/>"}, **zeros))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "没有找到表头"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "不是表格|编码"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(range(32)) * 9, "不是表格|编码"),
        (b"PK\x03\x04 half a file", "打不开"),
        (zipped(**{"word/document.xml": b"<x/>"}), "不是 XLSX"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), "打不开"),
        (xlsx(["手机"], ["1"])[:-30], "打不开"),
        ("姓名,年龄\n张三,20\n".encode(), "只认出了 姓名"),
        (b"Column 1,Column 2\n1,2\n", "手机号、电话、邮箱、微信"),
        (b'a,"' + b"x" * 200_000, "引号|表头"),
    ],
)
def test_what_is_no_table_of_leads_says_why(data, said):
    reason = refusal(data)

    assert any(word in reason for word in said.split("|"))


@given(st.binary(max_size=400) | st.binary(max_size=60).map(lambda b: "手机,姓名\n".encode() + b))
def test_any_bytes_are_a_table_or_a_reason(data):
    with suppress(ValueError):
        for row in rows_of(data):
            read_or_problems(row.values)


def read_or_problems(values):
    try:
        return read_fields(values, "file")
    except BadFields as refused:
        return refused


WORKBOOK = xlsx(["手机", "姓名"], [13800138000, "张三"])
MEMBERS = {
    m: zipfile.ZipFile(io.BytesIO(WORKBOOK)).read(m)
    for m in zipfile.ZipFile(io.BytesIO(WORKBOOK)).namelist()
}


@settings(deadline=None)
@given(st.sampled_from(sorted(MEMBERS)), st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_damaged_workbook_is_a_table_or_a_reason(member, at, noise):
    content = MEMBERS[member]
    at %= len(content)
    damaged = MEMBERS | {member: content[:at] + noise + content[at + len(noise) :]}

    with suppress(ValueError):
        assert read_tables(zipped(**damaged))


# -- headings -----------------------------------------------------------------


def test_two_heading_rows_and_a_row_of_hints_are_no_leads():
    rows = of("姓名,手机号,行业\nName,MobilePhone,Industry\n必填,选填,\n张三,13800138000,制造\n")

    assert [(row.number, row.values["name"]) for row in rows] == [(4, "张三")]


def test_a_title_above_the_headings_is_passed_over():
    rows = of("线索导入模板,,\n*姓名（必填）,手机号码,Ｅ－ｍａｉｌ\n张三,13800138000,a@x.cn\n")

    assert rows[0].values == {"name": "张三", "phone": "13800138000", "email": "a@x.cn"}


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        (heading, known)
        for known, headings in {
            "phone": "联系人电话|联系人手机|客户手机号|客户手机号码|手机号1|手机号2|号码|手機號碼|聯絡電話|"
            "行動電話|Mobile No.|Cell #|Lead Phone|user_mobile|Contact No|Customer's Phone Number|"
            "Phone 3|手机/电话|联系人联系方式|用户手机|Primary Phone|ＭＯＢＩＬＥ|Tel.|Phone #2|"
            "Other Phone|Secondary Phone|Alternate Mobile|第二联系电话|私人手机",
            "email": "E-Mail Address|Lead Email|user_email|客户邮箱|電子郵件|Email 2|邮箱1|your e-mail|"
            "Secondary Email|Personal Email|Work E-mail|工作邮箱|其它邮箱",
            "wechat": "客户微信|联系人微信号|微信号1|WeChat ID|微信號",
            "either": "电话/微信|手机或微信|Phone / Email|手机号、微信号",
            "company": "客户公司|公司名稱|Lead Company",
            "contact": "聯絡人|联系人名",
            "message": "備註|客户备注",
        }.items()
        for heading in headings.split("|")
    ],
)
def test_a_heading_is_known_however_it_is_written(heading, known):
    assert column(heading)[0] == known


@pytest.mark.parametrize(
    "heading",
    ["user_id", "客户级别", "用户名", "产品2", "Lead Owner", "Contact Owner", "姓名/电话", "5", "",
     "Column 1", "13800138000", "a@contact.com", "/", "电话回访记录", "微信昵称", "紧急联系电话", "Second Owner Email", "Work Address"],
)  # fmt: skip
def test_another_thing_is_not_taken_for_a_way_to_reach_somebody(heading):
    assert column(heading) is None


def test_a_column_of_numbers_and_wechat_ids_is_told_cell_by_cell():
    rows = of("姓名,电话/微信\n甲,13800138000\n乙,wx_yi88\n丙,c@x.cn\n丁,0755-1\n")

    said = [{k: v for k, v in row.values.items() if k != "name"} for row in rows]
    assert said == [
        {"phone": "13800138000"}, {"wechat": "wx_yi88"}, {"email": "c@x.cn"}, {"phone": "0755-1"},
    ]  # fmt: skip


def test_a_second_number_of_the_same_kind_is_kept_beside_the_first():
    [row] = of("姓名,手机号1,手机号2\n张三,13800138000,13900139000\n")

    assert row.values["phone"] == "13800138000"
    assert row.values["fields"] == {"手机号2": "13900139000"}


def test_a_contact_is_the_person_and_the_other_name_the_company():
    assert of("姓名,联系人,电话\n大通集团,李丽,13800138000\n")[0].values == {
        "name": "李丽", "company": "大通集团", "phone": "13800138000",
    }  # fmt: skip
    assert of("客户名称,电话\n大通集团,13800138000\n")[0].values["name"] == "大通集团"
    assert of("客户名称,姓名,电话\n大通集团,李丽,138\n")[0].values["company"] == "大通集团"


def test_a_first_and_a_last_name_are_one_name():
    assert of("email,firstname,lastname\na@x.cn,Joe,Doe\n")[0].values["name"] == "Joe Doe"
    assert of("email,姓,名\na@x.cn,王,小明\n")[0].values["name"] == "王小明"


def test_the_mobile_is_preferred_and_the_other_number_kept():
    [row] = of("固定电话,电话,手机号\n0755-86013388,400-670-1234,13800138000\n")

    assert row.values["phone"] == "13800138000"
    assert row.values["fields"] == {"固定电话": "0755-86013388", "电话": "400-670-1234"}


def test_a_number_that_can_be_read_is_preferred_to_one_that_cannot():
    [row] = of("手机号,电话\n1.35E+10,0755-86013388\n")

    assert row.values["phone"] == "0755-86013388"


def test_a_table_with_many_columns_of_its_own_is_one_of_leads():
    # "没有找到表头", with 手机 in the first row: fewer than half of the columns were known.
    rows = of("名单,,,,,\n姓名,手机,预算,上线日,用途,星级\n张三,13800138000,20万,5月1日,自用,五\n")

    assert [(row.values["name"], row.values["fields"]["预算"]) for row in rows] == [
        ("张三", "20万")
    ]


def test_what_no_column_takes_is_kept_under_its_heading():
    [row] = of("手机,客户级别,,Email,Email\n13800138000,VIP,甲,a@x.cn,b@x.cn\n")

    assert row.values["email"] == "a@x.cn"
    assert row.values["fields"] == {"客户级别": "VIP", "第 3 列": "甲", "Email 2": "b@x.cn"}


def test_province_and_city_are_the_region_and_a_source_the_channel():
    [row] = of("phone,省份,城市,Lead Source,utm_source\n13800138000,江苏,苏州,Web,baidu\n")

    assert (row.values["region"], row.values["channel"]) == ("江苏苏州", "Web")
    assert row.values["utm"] == {"utm_source": "baidu"}


def test_a_column_that_only_counts_is_no_external_id():
    assert "external_id" not in of("id,phone\n1,13800138000\n2,13800138001\n")[0].values
    assert (
        of("LEADID,phone\n4566,13800138000\n4568,13800138001\n")[0].values["external_id"] == "4566"
    )


def test_a_row_longer_than_the_headings_says_so():
    rows = of("手机,备注\n13800138000,a,b\n13800138001,a,\n")

    assert ["多出" in (row.problem or "") for row in rows] == [True, False]


def test_only_headings_are_no_leads_and_no_error():
    assert of("电话,备注\n") == []


def test_every_sheet_with_leads_is_read_and_every_other_one_is_named():
    person = [["姓名", "手机"], ["张三", "13800138000"]]
    sheets = [
        Sheet("说明", [["怎么填"]]), Sheet("一月", person), Sheet("空", [[None, ""]]),
        Sheet("二月", person), Sheet("填写示例", person), Sheet("选项", [["微信"], ["抖音"]]),
        Sheet("价目", [["姓名", "价格"], ["A", 5]]), Sheet("号码", [["电话"], [13800138001]]),
    ]  # fmt: skip

    read, left = lead_sheets(sheets)

    assert [sheet.name for sheet in read] == ["一月", "二月", "号码"]
    assert list(left) == ["说明", "填写示例", "选项", "价目"]
    assert "只认出了 姓名" in left["价目"]


def test_a_sheet_that_is_alone_is_read_whatever_its_name():
    read, left = lead_sheets([Sheet("Sample", [["微信"], ["wx_abc"]])])

    assert ([sheet.name for sheet in read], left) == (["Sample"], {})


def test_a_person_below_the_headings_is_no_second_row_of_headings():
    [row] = of("姓名,电话\n客户,13800138000\n")

    assert row.values == {"name": "客户", "phone": "13800138000"}


# -- real files to the end ----------------------------------------------------


@needs_files
def test_excels_damage_is_undone_or_named():
    wanted = next(case for case in EXPECTED if "normalised" in case)["normalised"]

    rows = rows_of((IMPORTS / "derived_excel_oddities.csv").read_bytes())
    read = [read_or_problems(row.values) for row in rows]

    assert [row.values["name"] for row in rows] == [case["name"] for case in wanted]
    assert [getattr(new, "phone", None) for new in read] == [
        case["phone"] and "+86" + case["phone"] for case in wanted
    ]
    assert "科学计数法" in read[1].problems["phone"]
    assert neutralise(read[5].name).startswith("'=")


@needs_files
def test_the_same_seven_people_twice_become_six_leads():
    people, refused, said = People(), [], []

    for row in rows_of((IMPORTS / "salesforce_lead_export.csv").read_bytes()):
        new = read_or_problems(row.values)
        if isinstance(new, BadFields):
            refused.append((row.values["name"], new.problems))
        else:
            said.append((new.name, people.capture(new)[1]))

    assert [lead.name for lead in people.leads.values()] == [
        "Joe Szyslak", "Brat Sampson", "Abby Someone", "Homer Sampson", "Liza Sampson",
        "Margery Sampson",
    ]  # fmt: skip
    assert refused == [("Gumball", {"phone": UNREACHABLE})] * 2
    assert people.asked == {6: (5,)}
    assert [name for name, verdict in said if isinstance(verdict, Ask)] == ["Margery Sampson"]
    assert sum(isinstance(verdict, Same) for _, verdict in said) == 6


# -- back into a spreadsheet --------------------------------------------------


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝"])
def test_a_formula_is_shown_and_not_run(start):
    assert neutralise(start + "cmd|' /C calc'!A0") == "'" + start + "cmd|' /C calc'!A0"


@pytest.mark.parametrize("cell", ["张三", "13800138000", "", 5, -1.5, None, True])
def test_an_ordinary_cell_is_left_alone(cell):
    assert neutralise(cell) == cell


@pytest.mark.parametrize("heading", ["销售", "业务员", "指定销售", "跟进人"])
def test_a_column_of_sellers_names_whom_it_goes_to(heading):
    """What the dry run calls 销售 was not read from a column of that name."""
    [row] = of(f"姓名,手机,{heading}\n王五,13800138005,韩梅\n")

    assert row.values == {"name": "王五", "phone": "13800138005", "rep": "韩梅"}
