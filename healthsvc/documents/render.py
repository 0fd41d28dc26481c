"""A declared document becomes PDF/A-2b: Typst sets it, the fonts lie beside this file and are embedded in part.

Typst checks the conformance itself and refuses rather than leave a glyph or a font out. One compiler serves a process, one thread at a
time: a document takes about 5 ms. The same document gives the same bytes.
"""

import json
import threading
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from healthsvc.documents.paper import Document
from healthsvc.errors import Unavailable

FONTS: Final = Path(__file__).with_name("fonts")
_TEMPLATE: Final = Path(__file__).with_name("document.typ")
_LOCK: Final = threading.Lock()
_STANDARD: Final = "a-2b"
NOTE: Final = "本文书中字库未收的字以统一码编号代替："


def to_pdf(document: Document) -> bytes:
    """Set a document as PDF/A-2b (see :func:`typeset`)."""
    return typeset(document)[0]


def typeset(document: Document) -> tuple[bytes, tuple[str, ...]]:
    """Set a document as PDF/A-2b; gives its bytes and the characters that the fonts lack.

    A character that the fonts lack is written as its code point in brackets, and a note at the end says so: a name is never printed
    with a box or another character in it.

    Raises:
        Unavailable: the fonts have not been fetched, or the document cannot be set.
    """
    declared = document.declared()
    lacking = unprintable(json.dumps(declared, ensure_ascii=False))
    if lacking:
        note = NOTE + "、".join(_named(char) for char in lacking)
        declared["sections"].append({"title": "", "blocks": [{"kind": "paragraph", "text": note}]})
    given = json.dumps(_printable(declared, frozenset(lacking)), ensure_ascii=False)
    import typst

    try:
        with _LOCK:
            made = _compiler().compile(_template(), format="pdf", pdf_standards=[_STANDARD], sys_inputs={"doc": given})
    except (typst.TypstError, RuntimeError) as error:
        raise Unavailable(f"the document cannot be set: {type(error).__name__}", reason="document-not-set") from error
    assert isinstance(made, bytes)
    return made, lacking


def unprintable(text: str) -> tuple[str, ...]:
    """The characters of a text that no font here has, in the order of their code points."""
    known = _characters()
    return tuple(sorted({char for char in text if ord(char) not in known and not _is_invisible(char)}))


def _printable(value: Any, lacking: frozenset[str]) -> Any:
    """The same values with every lacking character named by its code, and without invisible ones."""
    if isinstance(value, dict):
        return {key: inner if key == "svg" else _printable(inner, lacking) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(inner, lacking) for inner in value]
    if not isinstance(value, str):
        return value
    return "".join(_named(char) if char in lacking else char for char in value if char == "\n" or not _is_invisible(char))


def _named(char: str) -> str:
    return f"[U+{ord(char):04X}]"


def _is_invisible(char: str) -> bool:
    """Controls, format characters and variation selectors: they have no glyph of their own."""
    return unicodedata.category(char) in ("Cc", "Cf") or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


@lru_cache(maxsize=1)
def _template() -> bytes:
    return _TEMPLATE.read_bytes()


@lru_cache(maxsize=1)
def _compiler() -> Any:
    _check_fonts()
    import typst

    return typst.Compiler(root=str(_TEMPLATE.parent), font_paths=[str(FONTS)], ignore_system_fonts=True)


@lru_cache(maxsize=1)
def _characters() -> frozenset[int]:
    """What both cuts have, so that a heading prints whatever a line prints."""
    from fontTools.ttLib import TTFont

    known: frozenset[int] | None = None
    for path in _check_fonts():
        with TTFont(path, lazy=True) as font:
            own = frozenset(font.getBestCmap())
        known = own if known is None else known & own
    return known or frozenset()


def _check_fonts() -> list[Path]:
    found = sorted(FONTS.glob("*.ttf"))
    if not found:
        raise Unavailable("the fonts of printed documents are missing; run `make setup` (python -m healthsvc.web.assets)")
    return found
