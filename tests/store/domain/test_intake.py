"""What may come in, and what is said about the rest."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.domain.intake import LIMITS, UNREACHABLE, BadFields, read_fields


def problems(values):
    with pytest.raises(BadFields) as refused:
        read_fields(values, "website")
    return refused.value.problems


def test_a_whole_lead_is_read_and_normalised():
    new = read_fields(
        {
            "name": " 张\u200b三 ",
            "phone": "+86 138-0013-8000",
            "email": "Zhang@X.cn",
            "wechat": "zhang_san",
            "message": "想了解\n价格 100㎡",
            "consent": {"text": "同意", "at": "2026-03-02T10:00:00+08:00"},
            "utm": {"source": "baidu"},
            "fields": {"人数": 20, "多选": ["a", "b"]},
        },
        "website",
    )

    assert (new.name, new.phone, new.phone_sure) == ("张三", "+8613800138000", True)
    assert (new.email, new.wechat, new.region) == ("zhang@x.cn", "zhang_san", "北京")
    assert new.message == "想了解\n价格 100㎡"
    assert new.consent_at == datetime(2026, 3, 2, 2, tzinfo=UTC)
    assert (new.utm, new.fields) == ({"source": "baidu"}, {"人数": 20, "多选": ["a", "b"]})
    assert new.source == "website"


def test_a_number_nobody_understands_is_kept_as_written():
    new = read_fields({"phone": "660-643-4947"}, "website")

    assert (new.phone, new.phone_sure) == ("660-643-4947", False)


def test_the_extension_and_the_other_numbers_of_a_cell_are_kept():
    new = read_fields({"phone": "021-58888888转8001 / 13800138000"}, "website")

    assert new.phone == "+862158888888"
    assert new.fields == {"分机": "8001", "其他电话": "+8613800138000"}


def test_a_region_that_was_given_stands_before_the_numbers_own():
    new = read_fields({"phone": "13800138000", "region": "苏州"}, "website")

    assert new.region == "江苏苏州"


@pytest.mark.parametrize("wechat", ["同手机号", "微信同号", "无", "/", "同上", "n/a"])
def test_a_wechat_that_names_nobody_is_blank(wechat):
    assert read_fields({"phone": "13800138000", "wechat": wechat}, "website").wechat == ""


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "张三"},
        {"phone": "", "email": None},
        {"phone": "无", "email": "-", "wechat": "/"},
    ],
)
def test_somebody_nobody_can_reach_is_refused(values):
    assert problems(values) == {"phone": UNREACHABLE}


def test_every_problem_is_told_at_once():
    told = problems(
        {
            "name": "x" * 5000,
            "phone": "13800138OOO",
            "email": "nobody",
            "message": "长" * 4001,
            "colour": "red",
            "consent": {"at": "2026-03-02T10:00:00"},
            "utm": ["x"],
        }
    )

    assert set(told) == {"name", "phone", "email", "message", "colour", "consent", "utm"}
    assert "100" in told["name"]
    assert "时区" in told["consent"]


@pytest.mark.parametrize("name", sorted(LIMITS))
@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["13800138000"]])
def test_a_wrong_json_type_is_a_problem_of_its_field(name, value):
    assert problems({"phone": "13800138000"} | {name: value})[name] == "要写成文字"


@pytest.mark.parametrize("name", sorted(LIMITS.keys() - {"phone", "email"}))
def test_a_text_may_be_as_long_as_its_limit_and_no_longer(name):
    whole = "x" * LIMITS[name]

    assert read_fields({"phone": "13800138000"} | {name: whole}, "website")
    assert set(problems({"phone": "13800138000"} | {name: whole + "x"})) == {name}


@pytest.mark.parametrize(
    "values",
    [
        {"consent": "yes"},
        {"consent": {"text": 1}},
        {"consent": {"text": "ok", "at": 5}},
        {"consent": {"text": "ok", "at": "9999-12-31T23:59:59-23:59"}},
        {"consent": {"other": "x"}},
        {"utm": {"a": 1}},
        {"utm": {"a": "x" * 501}},
        {"utm": {str(n): "x" for n in range(21)}},
        {"fields": []},
        {"fields": {"a": float("nan")}},
        {"fields": {"a": 10**5000}},
        {"fields": {"a": "x" * 20_001}},
        {"fields": {str(n): n for n in range(101)}},
        {"fields": {"a": [[[[[[[1]]]]]]]}},
        {"fields": {"x" * 101: 1}},
    ],
)
def test_an_object_out_of_bounds_is_a_problem_of_its_field(values):
    assert set(problems({"phone": "13800138000"} | values)) == set(values)


def test_a_reason_never_repeats_what_was_sent():
    told = problems({"phone": "1380013OOOO", "email": "geheim", "utm": {"a": ["geheim"]}})

    assert "geheim" not in str(told)
    assert "1380013" not in str(told)


@pytest.mark.parametrize(
    "text", ["{{ 7*7 }}", "'; DROP TABLE leads; --", "<script>alert(1)</script>", "%s%n", "${x}"]
)
def test_syntax_of_other_languages_stays_a_text(text):
    new = read_fields({"phone": "13800138000", "name": text, "message": text}, "website")

    assert (new.name, new.message) == (text, text)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*LIMITS, "consent", "utm", "fields", "x"]), anything))
def test_any_json_is_a_lead_that_can_be_stored_or_has_its_problems(values):
    with suppress(BadFields):
        new = read_fields(values, "website")
        assert new.reachable
        assert all(getattr(new, name).encode().decode() for name in LIMITS if getattr(new, name))


@pytest.mark.parametrize(
    "text",
    ["否", "不同意", "不同意接收营销信息", "未同意", "未授权", "没同意", "拒绝", "已撤回", "No", "false", "0",
     "Opt-out", "无", "-"],
)  # fmt: skip
def test_a_no_in_the_column_of_the_consent_is_no_consent(text):
    """It was kept as the words in which somebody had agreed."""
    said = {"phone": "19900000001", "consent": {"text": text, "at": "2026-03-02T10:00:00+08:00"}}

    new = read_fields(said, "list")

    assert (new.consent_text, new.consent_at) == ("", None)


@pytest.mark.parametrize(
    "text", ["是", "同意", "我同意，不限方式", "yes", "1", "同意（不含短信）"]
)
def test_a_yes_is_kept_in_its_words(text):
    new = read_fields({"phone": "19900000001", "consent": {"text": text}}, "list")

    assert new.consent_text == text
