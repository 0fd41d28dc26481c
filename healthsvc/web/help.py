"""使用帮助 the documents of healthsvc/docs, so that a closed network has them."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from markdown_it import MarkdownIt

from healthsvc.errors import NotFound
from healthsvc.web.render import SignedPage

router = APIRouter()
DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_PICTURES: Final = {".png": "image/png", ".svg": "image/svg+xml"}


@router.get("/help")
def contents(page: SignedPage) -> Response:
    """All documents, those in the reader's language first."""
    documents = sorted(titles(), key=lambda one: (one[0].endswith(".en") != (page.language == "en"), one[0]))
    return page.show("help.html", documents=documents, title=page.say("使用帮助"), text="")


@router.get("/help/{name}")
def document(page: SignedPage, name: str) -> Response:
    """One document."""
    plain = name.removesuffix(".md")
    path = DOCS / f"{plain}.md"
    if not _NAME.fullmatch(plain) or not path.is_file():
        raise NotFound("there is no such document")
    title, text = rendered(path, path.stat().st_mtime_ns)
    return page.show("help.html", documents=[], title=title, text=text)


@router.get("/help/pictures/{name}")
def picture(page: SignedPage, name: str) -> Response:
    """A picture of a document."""
    path = DOCS / "pictures" / name
    if not _NAME.fullmatch(name) or path.suffix not in _PICTURES or not path.is_file():
        raise NotFound("there is no such picture")
    return FileResponse(path, media_type=_PICTURES[path.suffix])


def titles() -> list[tuple[str, str]]:
    """Name and title of every document."""
    return [(path.stem, rendered(path, path.stat().st_mtime_ns)[0]) for path in sorted(DOCS.glob("*.md"))]


@lru_cache(maxsize=64)
def rendered(path: Path, _stamp: int) -> tuple[str, str]:
    """Title and HTML of a document; raw HTML in it is shown as text, never passed on."""
    source = path.read_text(encoding="utf-8")
    first = next((line.removeprefix("# ").strip() for line in source.splitlines() if line.startswith("# ")), path.stem)
    made = MarkdownIt("commonmark", {"html": False}).enable("table").render(source)
    return first, re.sub(r'(href|src)="(?:docs/)?(pictures/)?([a-z0-9_.-]+)\.(md|png|svg)(#[^"]*)?"', _link, made)


def _link(found: re.Match[str]) -> str:
    attribute, folder, name, ending, anchor = found.groups()
    target = f"/help/{folder or ''}{name}" + ("" if ending == "md" else f".{ending}")
    return f'{attribute}="{target}{anchor or ""}"'
