from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.mail import render_mail, render_mass, templates
from store.domain.errors import ConfigError

LINK = "https://leads.example.com/t/abc?a=1&b=2"
LEAVE = "https://leads.example.com/u/abc"
WANG = {"name": "王五", "product": "CRM 企业版", "company": "明远精密", "link": LINK, "unsubscribe": LEAVE}  # fmt: skip


class Read(HTMLParser):
    """The text and the links a mail client would show."""

    def __init__(self, html):
        super().__init__()
        self.links, self.tags, self.words = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data):
        self.words += data


def test_there_is_a_letter_for_each_step_of_the_wake_up_journey():
    assert templates() == ("brand", "product", "case", "event")


@pytest.mark.parametrize("template", templates())
def test_a_letter_speaks_to_the_person_and_carries_both_links(template):
    mail = render_mail(template, **WANG)

    assert mail.keys() == {"subject", "text", "html", "unsubscribe"}
    assert mail["text"].startswith("王五，您好：")
    assert "「CRM 企业版」" in mail["subject"] + mail["text"]
    assert LINK in mail["text"]
    assert mail["text"].rstrip().splitlines()[-1].endswith(LEAVE)
    assert Read(mail["html"]).links == [LINK, LEAVE]
    assert "！" not in mail["subject"] + mail["text"]


@pytest.mark.parametrize("template", templates())
def test_both_variants_of_a_letter_say_the_same(template):
    mail = render_mail(template, **WANG)

    words = "".join(Read(mail["html"]).words.split())
    for line in mail["text"].split("--")[0].splitlines():
        said = "".join(line.replace(LINK, "").removesuffix("：").split())
        assert said in words


@pytest.mark.parametrize("template", templates())
def test_without_a_name_or_a_product_a_letter_still_reads(template):
    mail = render_mail(template, **WANG | {"name": "", "product": "", "company": " "})

    assert mail["text"].startswith("朋友，您好：")
    assert "「」" not in mail["text"] + mail["subject"]


@pytest.mark.parametrize(
    "name",
    ["{{ 7*7 }}", "{% raw %}", "{{ self.x() }}", "{# x #}", "${7*7}", "<%= 7 %>", "{{''.x}}"],
)
@pytest.mark.parametrize("template", templates())
def test_template_syntax_in_a_name_is_just_a_strange_name(template, name):
    mail = render_mail(template, **WANG | {"name": name, "product": name, "company": name})

    assert mail["text"].startswith(f"{name}，您好：")
    assert f"{name}，您好：" in Read(mail["html"]).words
    assert render_mass(template, **WANG | {"name": name}).startswith(name)


def test_html_in_a_name_is_shown_and_not_obeyed():
    evil = "<img src=x>"

    mail = render_mail("brand", **WANG | {"name": evil, "product": "<b>", "company": "</p>"})

    assert evil in Read(mail["html"]).words
    assert not {"img", "b"} & set(Read(mail["html"]).tags)


@pytest.mark.parametrize(
    "name",
    ["中奖了 http://evil.example", "加微信 www.evil.top", "evil.com 领奖", "a@evil.example"],
)
def test_a_name_with_an_address_in_it_is_not_mailed_to_strangers(name):
    mail = render_mail("brand", **WANG | {"name": name, "product": name, "company": name})

    assert "evil" not in mail["subject"] + mail["text"] + mail["html"]


@given(words=st.text(st.characters(), max_size=80), template=st.sampled_from(templates()))
def test_whatever_a_prospect_wrote_the_letter_can_be_sent(words, template):
    mail = render_mail(template, **WANG | {"name": words, "product": words * 90, "company": words})
    mass = render_mass(template, **WANG | {"name": words, "product": words * 90, "company": words})

    assert "".join(mail.values()).encode()
    assert "\n" not in mail["subject"]
    assert len(mail["subject"]) <= 60
    assert len(mass.encode()) <= 4000


@pytest.mark.parametrize("template", templates())
def test_a_mass_message_ends_with_the_way_out(template):
    text = render_mass(template, **WANG)

    assert text.startswith("王五，您好")
    assert LINK in text
    assert text.splitlines()[-1] == f"不想再收到，回复“退订”，或点：{LEAVE}"


def test_a_mass_message_too_long_gives_up_its_body_and_keeps_the_way_out():
    text = render_mass("event", **WANG | {"link": LINK + "x" * 3_600})

    assert len(text.encode()) <= 4000
    assert text.endswith(LEAVE)


def test_an_unknown_letter_names_those_there_are():
    with pytest.raises(ConfigError, match="brand, product, case, event"):
        render_mail("birthday", **WANG)
