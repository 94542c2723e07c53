"""Pages: a template, the values, and headers that let nothing in from elsewhere."""

from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

PAGES = Environment(
    loader=PackageLoader("bot", "pages"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
)
HEADERS = {
    # The form may stand inside other sites; nothing on it may come from elsewhere.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def page(name: str, status: int = 200, **values: Any) -> web.Response:
    html = PAGES.get_template(name).render(**values)
    return web.Response(text=html, status=status, content_type="text/html", headers=HEADERS)


def says(title: str, text: str, status: int = 200, **more: str) -> web.Response:
    values = {"button": "", "link": "", "link_text": "", **more}
    return page("says.html.jinja", status, title=title, text=text, **values)
