"""A lossless, lazy reader of HL7 v2 text (ER7, "pipe and hat"): whatever was sent can be read, and written again byte for byte.

Any delimiters, any number of encoding characters, segments ended by CR, CRLF or LF, Z segments and unknown ones: nothing is refused but
a text without a message header, and nothing is dropped. A message splits into segments at once, a segment into fields when asked.

    pid = message["PID"]
    pid[5].component(1).text          # first repetition, first component, unescaped
    [cx.component(5).text for cx in pid[3].repetitions]
    pid[8].is_null                    # the sender wrote "" (delete the value), which is not the same as nothing

Positions count from 1 as in the standard (HL7 v2.5 chapter 2); MSH-1 is the field separator itself.
"""

import re
from collections.abc import Iterator

from integrations.hl7v2.delimiters import ENDS, HEADERS, Delimiters, find_delimiters
from integrations.hl7v2.escapes import unescape

NULL = '""'
_SEGMENT_SHAPE = re.compile(r"[A-Za-z][A-Za-z0-9]{2}(?![A-Za-z0-9])")


class Part:
    """A field, repetition, component or subcomponent: the text as sent, and a way down."""

    __slots__ = ("_cut", "_level", "raw")
    _ORDER = ("repetition", "component", "subcomponent")

    def __init__(self, raw: str, cut: Delimiters, level: int = 0) -> None:
        self.raw = raw
        self._cut = cut
        self._level = level

    def __bool__(self) -> bool:
        """Whether it carries a value (neither empty nor the null ``""``)."""
        return self.raw not in ("", NULL)

    def __repr__(self) -> str:
        return f"<Part level {self._level}, {len(self.raw)} characters>"

    @property
    def said(self) -> tuple[str, Delimiters, int]:
        """All that its reading depends on: a part made of the same reads the same."""
        return self.raw, self._cut, self._level

    @property
    def is_null(self) -> bool:
        """The sender wrote ``""``: the value is to be deleted."""
        return self.raw == NULL

    @property
    def text(self) -> str:
        """The value with its escapes resolved; empty for the null."""
        raw = self.raw
        if raw == NULL:
            return ""
        return unescape(raw, self._cut) if self._cut.escape and self._cut.escape in raw else raw

    @property
    def repetitions(self) -> list["Part"]:
        """All repetitions of a field; none where the field is empty."""
        if not self.raw:
            return []
        if self._level or not self._cut.repetition:
            return [Part(self.raw, self._cut, 1)]
        return [Part(raw, self._cut, 1) for raw in self.raw.split(self._cut.repetition)]

    def component(self, number: int) -> "Part":
        """Component ``number`` of a repetition; asked of a field, that of its first repetition."""
        raw, cut = self.raw, self._cut
        if raw:
            if self._level == 0 and cut.repetition and cut.repetition in raw:
                raw = raw[: raw.index(cut.repetition)]
            raw = _nth(raw, cut.component, number)
        return Part(raw, cut, 2)

    def subcomponent(self, number: int) -> "Part":
        """Subcomponent ``number`` of a component; asked of something wider, that of its first component."""
        raw = self.raw if self._level >= 2 else self.component(1).raw
        return Part(_nth(raw, self._cut.subcomponent, number), self._cut, 3)

    @property
    def components(self) -> list["Part"]:
        """All components of a repetition (of a field: of its first repetition)."""
        raw = self.raw
        if self._level == 0 and self._cut.repetition and self._cut.repetition in raw:
            raw = raw[: raw.index(self._cut.repetition)]
        if not raw:
            return []
        return [Part(piece, self._cut, 2) for piece in (raw.split(self._cut.component) if self._cut.component else [raw])]


def _nth(raw: str, cut: str, number: int) -> str:
    if not cut or cut not in raw:
        return raw if number == 1 else ""
    pieces = raw.split(cut, number)
    return pieces[number - 1] if number <= len(pieces) else ""


class Segment:
    """One segment: its name, its fields when asked for, and the line end that followed it."""

    __slots__ = ("_cut", "_fields", "end", "name", "raw")

    def __init__(self, raw: str, end: str, cut: Delimiters) -> None:
        self.raw = raw
        self.name = raw.lstrip()[:3]
        """The three letters that say what it is."""
        self.end = end
        self._cut = cut
        self._fields: list[str] | None = None

    def __repr__(self) -> str:
        return f"<Segment {self.name}>"

    @property
    def fields(self) -> list[str]:
        """The fields as sent, index = position; index 0 is the name. In headers, 1 is the separator and 2 the encoding characters."""
        if self._fields is None:
            pieces = self.raw.split(self._cut.field)
            if self.name in HEADERS:
                pieces.insert(1, self._cut.field)
            self._fields = pieces
        return self._fields

    @property
    def cut(self) -> Delimiters:
        """The delimiters of its message."""
        return self._cut

    def field(self, number: int) -> Part:
        """Field ``number``; an empty part where the segment is shorter."""
        fields = self.fields
        raw = fields[number] if number < len(fields) else ""
        if number == 2 and self.name in HEADERS:
            return Part(raw, Delimiters(self._cut.field, "", "", "", "", "", raw))
        return Part(raw, self._cut)

    __getitem__ = field

    def __len__(self) -> int:
        """Position of the last field that was sent."""
        return len(self.fields) - 1


class Message:
    """One message: its delimiters and its segments in order. ``text`` is exactly what was read."""

    __slots__ = ("_named", "_segments", "cut", "text")

    def __init__(self, text: str, codec: str = "utf-8") -> None:
        """Read a message from decoded text (``codec``: the character set that it was decoded from).

        Raises:
            Malformed: it does not begin with MSH, FHS or BHS and a separator.
        """
        self.text = text
        self.cut = find_delimiters(text, codec)
        self._segments: list[Segment] | None = None
        self._named: dict[str, list[Segment]] | None = None

    def __repr__(self) -> str:
        return f"<Message of {len(self.text)} characters>"

    @property
    def segments(self) -> list[Segment]:
        """All segments in the order sent."""
        if self._segments is None:
            cut, text = self.cut, self.text
            if "\n" not in text and text[:1] != "\r":
                lines = text.split("\r")
                last = lines.pop()
                found = [Segment(line, "\r", cut) for line in lines]
                if last:
                    found.append(Segment(last, "", cut))
                self._segments = found
            else:
                self._segments = list(_lines(text, cut))
        return self._segments

    @property
    def first(self) -> Segment:
        """The first segment, without cutting the others."""
        if self._segments is not None:
            return self._segments[0]
        line, end, rest = self.text.partition("\r")
        if not line or "\n" in line or rest[:1] == "\n":
            return self.segments[0]
        return Segment(line, end, self.cut)

    def has(self, name: str) -> bool:
        """Whether there is a segment of that name; mostly found without cutting anything."""
        return (self._segments is None and f"\r{name}{self.cut.field}" in self.text) or name in self

    def __getitem__(self, name: str) -> Segment:
        """The first segment of that name; an empty one where the message has none."""
        return self.get(name) or Segment(name, "", self.cut)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def get(self, name: str) -> Segment | None:
        """The first segment of that name, if there is one."""
        found = self._by_name().get(name)
        return found[0] if found else None

    def all(self, name: str) -> list[Segment]:
        """Every segment of that name."""
        return list(self._by_name().get(name, ()))

    def _by_name(self) -> dict[str, list[Segment]]:
        if self._named is None:
            self._named = {}
            for segment in self.segments:
                self._named.setdefault(segment.name, []).append(segment)
        return self._named

    def encode(self) -> str:
        """Write the message again from its segments; the same text that was read."""
        return "".join([part for segment in self.segments for part in (segment.raw, segment.end)])


def _lines(text: str, cut: Delimiters) -> Iterator[Segment]:
    """Cut at CR, CRLF and LF; a line that is no segment belongs to the one before it (a line feed inside a value)."""
    raw, end, at = "", "", 0
    begun = False
    head = len(text) - len(text.lstrip())  # blank lines before the header are part of its segment, so that nothing is lost
    for match in ENDS.finditer(text, head):
        line = text[at : match.start()]
        at = match.end()
        if not begun or _begins_segment(line, cut):
            if begun:
                yield Segment(raw, end, cut)
            raw, begun = line, True
        elif line:
            raw += end + line
        else:
            end += match.group()
            continue
        end = match.group()
    rest = text[at:]
    if rest and begun and not _begins_segment(rest, cut):
        yield Segment(raw + end + rest, "", cut)
        return
    if begun:
        yield Segment(raw, end, cut)
    if rest:
        yield Segment(rest, "", cut)


def _begins_segment(line: str, cut: Delimiters) -> bool:
    stripped = line.lstrip(" \t")
    if not _SEGMENT_SHAPE.match(stripped):
        return False
    return len(stripped) == 3 or stripped[3] == cut.field
