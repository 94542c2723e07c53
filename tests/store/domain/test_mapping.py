"""From somebody else's JSON to an enquiry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.domain.mapping import as_enquiry, as_text, find

BODY = {
    "data": {"客户姓名": "王五", "电话": 13800138000, "a.b": {"c": "点"}},
    "answers": [{"text": "甲"}, {"text": "乙"}],
    "empty": None,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.客户姓名", "王五"),
        ("data.电话", 13800138000),
        ("answers.1.text", "乙"),
        ("data.a.b.c", "点"),
        ("answers.2.text", None),
        ("answers.x", None),
        ("data.电话.区号", None),
        ("nothing", None),
        ("empty", None),
    ],
)
def test_a_dotted_path_leads_to_a_value_or_nowhere(path, value):
    assert find(BODY, path) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (13800138000, "13800138000"),
        (1.0, "1"),
        (True, "是"),
        (None, ""),
        (["篮球", "", "足球"], "篮球、足球"),
        ({"province": "陕西", "city": "西安"}, "陕西 西安"),
        ("  王五 ", "王五"),
    ],
)
def test_a_value_reads_as_somebody_would_have_written_it(value, text):
    assert as_text(value) == text


def test_names_a_lead_does_not_have_are_kept_beside_it():
    enquiry = as_enquiry(
        {"name": "王五", "phone": 138, "预算": 10, "consent": "同意", "email": ""}
    )

    assert enquiry == {
        "name": "王五",
        "phone": "138",
        "consent": {"text": "同意"},
        "fields": {"预算": "10"},
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.text())
def test_no_body_and_no_path_makes_it_fail(body, path):
    assert isinstance(as_text(find(body, path)), str)
