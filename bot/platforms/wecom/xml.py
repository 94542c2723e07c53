"""WeCom's XML as a dict. The only reader of XML that strangers sent."""

import re
from typing import Any
from xml.parsers import expat

from store.domain.errors import BadCallback

ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry: controls, lone surrogates, U+FFFE."""
MAX_DEPTH = 20  # the deepest documented body, an approval, has seven levels


class _Tree:
    """Grows a dict from expat's events; a stack instead of recursion, so depth costs nothing."""

    def __init__(self) -> None:
        self.open: list[dict[str, Any]] = [{}]
        self.text: list[str] = []

    def start(self, _name: str, _attributes: object) -> None:
        if len(self.open) > MAX_DEPTH:
            raise BadCallback("XML nested too deeply")
        self.open.append({})
        self.text.clear()

    def end(self, name: str) -> None:
        children = self.open.pop()
        _add(self.open[-1], name, children or "".join(self.text).strip())
        self.text.clear()

    def refuse(self, *_declaration: object) -> None:
        # Entities are declared inside a DTD: without one there is no bomb and no file to read.
        raise BadCallback("XML with a DTD")


def _add(parent: dict[str, Any], name: str, value: object) -> None:
    if name not in parent:
        parent[name] = value
    elif isinstance(parent[name], list):
        parent[name].append(value)
    else:
        parent[name] = [parent[name], value]


def parse_xml(text: str) -> dict[str, Any]:
    """The root's children: text as str, stripped; repeated tags as a list; attributes dropped.

    A tag that may repeat is a list only when it did (SelectedItem, OptionId). A control
    character somebody pasted into the chat is dropped: refusing it would lose the message.
    Raises BadCallback for anything that is not such a document, a DTD included.
    """
    tree = _Tree()
    try:
        _parser(tree).Parse(ILLEGAL.sub("", text).encode(), True)
    except expat.ExpatError:
        raise BadCallback("broken XML") from None
    root = next(iter(tree.open[0].values()), None)
    if not isinstance(root, dict):
        raise BadCallback("XML without content")
    return root


def _parser(tree: _Tree) -> expat.XMLParserType:
    parser = expat.ParserCreate("utf-8")  # whatever the declaration claims
    parser.StartDoctypeDeclHandler = tree.refuse
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.text.append
    return parser


def cdata(text: str) -> str:
    """``text`` as a CDATA section, without what XML cannot carry."""
    clean = ILLEGAL.sub("", text).replace("]]>", "]]]]><![CDATA[>")
    return f"<![CDATA[{clean}]]>"
