"""What stands in a document: declared, without a word about how it is set."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

from healthsvc.errors import Invalid

MOST_POINTS: Final = 5000
"""Points of one drawn signature; a hand writes a few hundred."""
_PATH: Final = re.compile(r'<path d="((?:[ML]\d{1,4},\d{1,4} ?)+)"/>')
_POINT: Final = re.compile(r"([ML])(\d{1,4}),(\d{1,4})")
_SVG: Final = re.compile(r'<svg xmlns="http://www\.w3\.org/2000/svg" viewBox="0 0 (\d{1,4}) (\d{1,4})"')


@dataclass(frozen=True, slots=True)
class Drawing:
    """A signature as it was drawn: strokes of points inside a box of ``width`` by ``height``."""

    width: int
    height: int
    strokes: tuple[tuple[tuple[int, int], ...], ...]

    def __post_init__(self) -> None:
        """Refuse what no hand has drawn."""
        if not (10 <= self.width <= 4000 and 10 <= self.height <= 4000):
            raise Invalid("a drawn signature stands in a box of 10 to 4000 points a side")
        points = [point for stroke in self.strokes for point in stroke]
        if len(points) < 2 or len(points) > MOST_POINTS:
            raise Invalid(f"a drawn signature has 2 to {MOST_POINTS} points; draw it again")
        if any(not (0 <= x <= self.width and 0 <= y <= self.height) for x, y in points):
            raise Invalid("a point of the drawn signature lies outside its box")

    def svg(self) -> str:
        """The drawing as SVG."""
        paths = "".join(
            '<path d="' + " ".join(f"{'L' if n else 'M'}{x},{y}" for n, (x, y) in enumerate(_visible(stroke))) + '"/>'
            for stroke in self.strokes
            if stroke
        )
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}"'
        return f'{head} fill="none" stroke="#000" stroke-width="{max(3, self.height // 40)}" stroke-linecap="round">{paths}</svg>'

    @classmethod
    def of_svg(cls, text: str) -> "Drawing | None":
        """Read one of our own drawings back; None where the SVG is another's."""
        head = _SVG.match(text)
        found = [_POINT.findall(path) for path in _PATH.findall(text)]
        if head is None or not found:
            return None
        try:
            return cls(int(head[1]), int(head[2]), tuple(tuple((int(x), int(y)) for _, x, y in stroke) for stroke in found))
        except Invalid:
            return None


def _visible(stroke: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """A dot is a stroke of no length, which would not be seen."""
    return stroke if len(stroke) > 1 else (stroke[0], stroke[0])


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; a line break stays one."""

    text: str


@dataclass(frozen=True, slots=True)
class Fields:
    """Labels with their values; an empty value is a line to be filled in by hand."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: whose, by whom, of which kind, when, and what was drawn. Without ``at`` it is a line to be signed by hand."""

    role: str
    name: str = ""
    kind: str = ""
    at: str = ""
    drawing: Drawing | None = None


@dataclass(frozen=True, slots=True)
class Signatures:
    """Signatures side by side."""

    of: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code with its caption; what is in it must say nothing about a person."""

    text: str
    caption: str = ""


Block = Paragraph | Fields | Table | Signatures | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A heading (may be empty) and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One document, ready to be printed."""

    title: str
    sections: tuple[Section, ...]
    made: datetime
    """The moment of which it speaks; it stands in the file as its date, so the same document gives the same bytes."""
    issuer: str = ""
    number: str = ""
    paper: Literal["a4", "a6"] = "a4"
    """``a6`` lies on its side: a card in large print."""
    copies: tuple[str, ...] = ()
    """Who keeps each copy, for example patient, station, hospital office; the whole document is printed once for each."""

    def declared(self) -> dict[str, Any]:
        """The document as the template reads it: plain values, each block with its ``kind``."""
        return {
            "title": self.title,
            "issuer": self.issuer,
            "number": self.number,
            "paper": self.paper,
            "copies": list(self.copies) or [""],
            "made": [self.made.year, self.made.month, self.made.day, self.made.hour, self.made.minute, self.made.second],
            "sections": [{"title": one.title, "blocks": [_declared(block) for block in one.blocks]} for one in self.sections],
        }


def _declared(block: Block) -> dict[str, Any]:
    kind = {"kind": type(block).__name__.lower()}
    if isinstance(block, Signatures):
        return kind | {"of": [_signed(one) for one in block.of]}
    if isinstance(block, Code):
        return kind | {"svg": _qr(block.text), "caption": block.caption}
    return kind | asdict(block)


def _signed(one: Signature) -> dict[str, str]:
    return {"role": one.role, "name": one.name, "kind": one.kind, "at": one.at, "svg": one.drawing.svg() if one.drawing else ""}


def _qr(text: str) -> str:
    import segno

    # any mask can be read; looking for the best of the eight would cost more than the rest of the code
    return str(segno.make(text, error="m", micro=False, mask=0).svg_inline(border=2))
