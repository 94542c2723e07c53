"""
The letters of a wake-up journey: one text per step, told as mail and as a WeCom 群发.

A text is a Jinja2 template with a subject, a body and the words on the link. What
a prospect wrote reaches it as a value, never as part of the template.
"""

import re
from functools import cache

from jinja2 import PackageLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from cards.limits import clean, fit, fit_lines, plain, utf8
from store.domain.errors import ConfigError

TEMPLATES = ("brand", "product", "case", "event")
NOBODY, NOTHING, NOWHERE = "朋友", "我们的产品", "您的团队"
NAME_CHARS, PRODUCT_CHARS, COMPANY_CHARS = 20, 30, 40
SUBJECT_CHARS = 60
MASS_BYTES = 4000
ADDRESS = re.compile(
    r"://|www\.|@|[a-z0-9]\.(?:com|cn|net|org|top|xyz|cc|io|ru|vip|shop|site|club)\b",
    re.IGNORECASE,
)


def templates() -> tuple[str, ...]:
    """The names a journey's step can ask for, in the order of the wake-up journey."""
    return TEMPLATES


def render_mail(  # noqa: PLR0913 - each is one word of the letter, and named at the call
    template: str, *, name: str, product: str, company: str, link: str, unsubscribe: str
) -> dict[str, str]:
    """``{"subject", "text", "html", "unsubscribe"}``, what the mail sender takes as its payload.

    ``name`` and ``company`` are the prospect's. Raises ConfigError for an unknown template.
    """
    words = _words(template, name, product, company)
    values = words | {"link": plain(link), "unsubscribe": plain(unsubscribe)}
    return {
        "subject": values["subject"],
        "text": _get("letter.txt.jinja").render(values),
        "html": _get("letter.html.jinja").render(values),
        "unsubscribe": values["unsubscribe"],
    }


def render_mass(  # noqa: PLR0913 - as above
    template: str, *, name: str, product: str, company: str, link: str, unsubscribe: str
) -> str:
    """The same as the text of a 企业群发, at most 4,000 bytes (D:92135).

    The body gives way to the links, so that opting out is never what was cut.
    """
    words = _words(template, name, product, company)
    values = words | {"link": plain(link), "unsubscribe": plain(unsubscribe)}
    around = utf8(_get("mass.txt.jinja").render(values | {"body": ""}))
    values["body"] = fit_lines(words["body"], max(0, MASS_BYTES - around), utf8)
    return _get("mass.txt.jinja").render(values).strip()


def _words(template: str, name: str, product: str, company: str) -> dict[str, str]:
    if template not in TEMPLATES:
        raise ConfigError([f"no template {template!r}; there are {', '.join(TEMPLATES)}"])
    wanted = _theirs(product, PRODUCT_CHARS)
    given = {
        "name": _theirs(name, NAME_CHARS) or NOBODY,
        "product": f"「{wanted}」" if wanted else NOTHING,
        "who": _theirs(company, COMPANY_CHARS) or NOWHERE,
    }
    told = vars(_get(f"{template}.jinja").make_module(given))
    return {
        "name": given["name"],
        "subject": fit(plain(str(told["subject"])), SUBJECT_CHARS),
        "body": clean(str(told["body"])).strip(),
        "action": plain(str(told["action"])),
    }


def _theirs(text: str, limit: int) -> str:
    """What the prospect filled in; nothing, if it is an address.

    A form takes any mailbox, so a name with a link in it would have us send a
    stranger's link to a stranger.
    """
    shown = plain(text)
    return "" if ADDRESS.search(shown) else fit(shown, limit)


def _get(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("cards", "templates"),
        autoescape=lambda name: name is not None and name.endswith(".html.jinja"),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
