"""留在表单 a form that is refused is shown again on the page where it stood, filled in as it was, with the reason above it.

Every page answers ``no-store``, so a browser that goes back over https has forgotten what was typed. Nothing is kept for it anywhere: the
request that was refused has brought it, and the answer takes it back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from fastapi import Request
from starlette.types import Message

_NOT_TYPED: Final = frozenset({"hidden", "password", "file", "submit", "button", "reset", "image"})
_CHOSEN: Final = frozenset({"checkbox", "radio"})
_OF_THE_ROUTE: Final = ("route", "endpoint", "path_params", "fastapi_inner_astack", "fastapi_function_astack", "state")
"""What the scope of a request holds of the route that was refused."""
_HEADERS: Final = frozenset({b"host", b"cookie", b"user-agent", b"x-forwarded-for", b"x-forwarded-proto", b"accept-language"})
Attributes = Sequence[tuple[str, str | None]]


async def shown_again(request: Request, told: str, wrong: frozenset[str]) -> str | None:
    """The page on which a refused form stands, as it is now, with the form filled in as it was sent.

    Args:
        request: the POST that was refused; it names the page in ``Referer``.
        told: HTML of the reason.
        wrong: names of the fields that are to blame.

    Returns:
        HTML; None where there is no such page, or no such form on it any more: then the refusal is a page of its own.
    """
    stood = urlsplit(request.headers.get("referer", ""))
    form = getattr(request, "_form", None)
    if form is None or stood.netloc != request.headers.get("host") or not stood.path:
        return None
    text = await _page(request, stood.path, stood.query)
    if text is None:
        return None
    given: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            given.setdefault(name, []).append(value)
    here = stood.path + (f"?{stood.query}" if stood.query else "")
    return refilled(text, here, request.url.path, given, told, wrong)


async def _page(request: Request, path: str, query: str) -> str | None:
    """A page as whoever sent the request may see it now; None where that is no page for them."""
    scope: dict[str, Any] = {key: value for key, value in request.scope.items() if key not in _OF_THE_ROUTE}
    headers = [one for one in scope["headers"] if one[0] in _HEADERS]
    scope |= {"method": "GET", "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "headers": headers}
    status, media, parts = 0, "", []

    async def nothing() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def keep(message: Message) -> None:
        nonlocal status, media
        if message["type"] == "http.response.start":
            status = message["status"]
            media = next((value.decode("latin-1") for name, value in message["headers"] if name.lower() == b"content-type"), "")
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await request.app.router(scope | {"state": {}}, nothing, keep)
    return b"".join(parts).decode() if status == 200 and media.startswith("text/html") else None


@dataclass(slots=True)
class _Form:
    """A form of a page, and where its parts stand in the text."""

    start: int
    action: str
    around: list[tuple[int, str, Attributes]]
    """Start tags of the folded parts that it stands in."""
    fields: list[tuple[int, int, str, Attributes]] = field(default_factory=list)
    """First and last place of the start tag (of a textarea: first of the tag, last of its content), tag, attributes."""
    options: list[tuple[int, int, str, Attributes, str]] = field(default_factory=list)
    """As above; the tag is the name of the select; then the value."""


class _Forms(HTMLParser):
    """Finds the forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[_Form] = []
        self._lines = [0]
        for line in text.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._folded: list[tuple[int, str, Attributes]] = []
        self._form: _Form | None = None
        self._area: tuple[int, Attributes] | None = None
        self._select = ""
        self._option: tuple[int, int, Attributes] | None = None
        self._said = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See what begins here."""
        start, raw = self._place(), self.get_starttag_text() or ""
        if tag == "details":
            self._folded.append((start, raw, attrs))
        elif tag == "form":
            told = dict(attrs)
            self._form = _Form(start, told.get("action") or "", list(self._folded))
            if (told.get("method") or "").lower() == "post":
                self.forms.append(self._form)
        if self._form is None:
            return
        if tag == "details":
            self._form.around.append((start, raw, attrs))
        elif tag in ("input", "button"):
            self._form.fields.append((start, start + len(raw), tag, attrs))
        elif tag == "textarea":
            self._area = (start, attrs)
        elif tag == "select":
            self._select = dict(attrs).get("name") or ""
        elif tag == "option":
            self._end_option()
            self._option, self._said = (start, start + len(raw), attrs), ""

    def handle_endtag(self, tag: str) -> None:
        """See what ends here."""
        if tag in ("option", "select"):
            self._end_option()
        if tag == "textarea" and self._area is not None and self._form is not None:
            self._form.fields.append((self._area[0], self._place(), tag, self._area[1]))
            self._area = None
        elif tag == "details" and self._folded:
            self._folded.pop()
        elif tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        """Hear what an option says: it is its value where it has none of its own."""
        self._said += data

    def _end_option(self) -> None:
        if self._option is not None and self._form is not None:
            start, end, attrs = self._option
            value = dict(attrs).get("value")
            self._form.options.append((start, end, self._select, attrs, self._said.strip() if value is None else value))
        self._option = None

    def _place(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column


def refilled(text: str, here: str, action: str, given: Mapping[str, list[str]], told: str, wrong: frozenset[str]) -> str | None:
    """A page with the form that was sent to ``action`` filled in as it was ``given``, unfolded, under what is ``told``.

    Of several forms to one address (a list with one in each row) it is the one whose hidden fields and button are as they were sent. What
    a page carries unseen stays as the page has it now; passwords and files are given anew.
    """
    forms = [one for one in _Forms(text).forms if urlsplit(urljoin(here, one.action)).path == action]
    if not forms:
        return None
    form = max(forms, key=lambda one: _agreeing(one, given))
    edits = [(form.start, form.start, f'<div class="refused" data-here="{escape(here)}" tabindex="-1" autofocus>{told}</div>')]
    edits += [
        (start, start + len(raw), _tag("details", attrs, [("open", None)]))
        for start, raw, attrs in form.around
        if "open" not in dict(attrs)
    ]
    edits += _fields(form, given, wrong)
    return _edited(text, edits)


def _agreeing(form: _Form, given: Mapping[str, list[str]]) -> tuple[int, int]:
    """How much of what it carries unseen (the pressed button, too) was sent so, then how many of its fields were sent."""
    known = [(tag, dict(attrs)) for _, _, tag, attrs in form.fields]
    unseen = [one for tag, one in known if tag == "button" or one.get("type") == "hidden"]
    names = {one.get("name") for _, one in known} | {name for _, _, name, _, _ in form.options}
    return sum((one.get("value") or "") in given.get(one.get("name") or "", ()) for one in unseen), len(names & given.keys())


def _fields(form: _Form, given: Mapping[str, list[str]], wrong: frozenset[str]) -> Iterable[tuple[int, int, str]]:
    left = {name: list(values) for name, values in given.items()}
    for start, end, tag, attrs in form.fields:
        known = dict(attrs)
        name, kind = known.get("name") or "", (known.get("type") or "text").lower()
        more: list[tuple[str, str | None]] = [("aria-invalid", "true")] if name in wrong else []
        if tag == "input" and kind in _CHOSEN:
            chosen = (known.get("value") or "on") in given.get(name, ())
            yield start, end, _tag(tag, attrs, [*([("checked", None)] if chosen else []), *more], without="checked")
        elif tag == "textarea" and left.get(name):
            yield start, end, _tag(tag, attrs, more) + "\n" + escape(left[name].pop(0))
        elif tag == "input" and kind not in _NOT_TYPED and left.get(name):
            yield start, end, _tag(tag, attrs, [("value", left[name].pop(0)), *more], without="value")
    for start, end, name, attrs, value in form.options:
        if name in given:
            yield start, end, _tag("option", attrs, [("selected", None)] if value in given[name] else [], without="selected")


def _tag(name: str, attrs: Attributes, more: Attributes, without: str = "") -> str:
    """A start tag, with the attributes that it has but one, and those that are added."""
    told = [*(one for one in attrs if one[0] != without), *more]
    return "<" + " ".join([name, *(key if value is None else f'{key}="{escape(value)}"' for key, value in told)]) + ">"


def _edited(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    made, done = [], 0
    for start, end, new in sorted(edits):
        made += [text[done:start], new]
        done = end
    return "".join([*made, text[done:]])
