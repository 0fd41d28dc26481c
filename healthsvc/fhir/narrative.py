"""Narrative as R4 2.4.0.1 allows it: basic HTML formatting in one ``div``, no scripts, forms, frames, links to style or active content."""

import re
from typing import Any
from xml.etree import ElementTree

XHTML = "{http://www.w3.org/1999/xhtml}"
ELEMENTS = frozenset({
    "a", "abbr", "acronym", "address", "area", "b", "bdo", "big", "blockquote", "br", "caption", "cite", "code", "col", "colgroup",
    "dd", "del", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "map",
    "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr",
    "tt", "u", "ul", "var",
})  # fmt: skip
"""HTML 4.0 chapters 7-11 (without section 4 of chapter 9) and 15, a and img elements."""
ATTRIBUTES = frozenset({
    "abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellpadding", "cellspacing", "char", "charoff", "charset",
    "cite", "class", "clear", "colspan", "compact", "coords", "dir", "frame", "headers", "height", "href", "hreflang", "hspace", "id",
    "ismap", "lang", "longdesc", "name", "nohref", "noshade", "nowrap", "rel", "rev", "rowspan", "rules", "scope", "shape", "size",
    "span", "src", "start", "style", "summary", "tabindex", "title", "type", "usemap", "valign", "value", "vspace", "width",
})  # fmt: skip
ACTIVE = re.compile(r"\s*(javascript|vbscript|data:text/html)", re.IGNORECASE)
DECLARATION = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|apos|#\d+|#x[0-9A-Fa-f]+);)([A-Za-z]\w*);")


def wrong_narrative(value: Any) -> str | None:
    """What is wrong with a narrative ``div`` in words, or None."""
    if not isinstance(value, str):
        return "must be a JSON string with an XHTML div"
    if DECLARATION.search(value):
        return "must not declare a document type or entities"
    try:
        root = ElementTree.fromstring(ENTITY.sub(" ", value))  # noqa: S314 - declarations were refused above, so nothing can expand
    except ElementTree.ParseError as error:
        return f"is not well-formed XHTML (line {error.position[0]}, column {error.position[1] + 1})"
    if root.tag not in (f"{XHTML}div", "div"):
        return "must be one div element in the XHTML namespace"
    if root.tag == "div":
        return "must be in the namespace http://www.w3.org/1999/xhtml"
    return next((wrong for element in root.iter() if (wrong := wrong_element(element))), None)


def wrong_element(element: ElementTree.Element) -> str | None:
    """What one element or its attributes may not be."""
    tag = element.tag.removeprefix(XHTML)
    if tag not in ELEMENTS:
        return f"must not contain the element {tag} (txt-1)"
    for name, value in element.attrib.items():
        if name.startswith("{http://www.w3.org/XML/1998/namespace}"):
            continue
        if name.lower() not in ATTRIBUTES:
            return f"must not contain the attribute {name} on {tag} (txt-1)"
        if name in ("href", "src") and ACTIVE.match(value):
            return f"must not contain active content in {name} (txt-1)"
    return None
