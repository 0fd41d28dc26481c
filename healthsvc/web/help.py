"""使用帮助 what each role does in a day, and the documents of healthsvc/docs, so that a closed network has them."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse
from markdown_it import MarkdownIt

from healthsvc.access.rules import ROLE_TITLES, Role
from healthsvc.errors import NotFound
from healthsvc.web.menu import may_open
from healthsvc.web.render import Page, SignedPage

router = APIRouter()
DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
CHINESE: Final = DOCS / "zh"
"""What doctors, nurses, coordinators and the bureau read, in Chinese: what they do and see, without interfaces and commands."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_PICTURES: Final = {".png": "image/png", ".svg": "image/svg+xml"}
_ROLE: Final = "role-"
"""Begins the name of the page of a role: /help/role-doctor."""
ROLES: Final = tuple(role for role in Role if role is not Role.SYSTEM)
"""Roles with a page of their own in docs/roles; a program reads no page."""
_OF_CARE: Final = frozenset({Role.DOCTOR, Role.NURSE, Role.COORDINATOR, Role.CENTRE_HEAD})
_OF_THE_MACHINE: Final = frozenset({Role.OPERATOR, Role.SYSTEM_ADMIN})
READERS: Final[tuple[tuple[str, frozenset[Role], tuple[str, ...]], ...]] = (
    ("床旁与上门", _OF_CARE, ("health-file", "home-care", "offline")),
    ("办公室：签约、排班、考核", _OF_CARE | {Role.BUREAU}, ("contracts", "coordinator", "circle", "figures", "policy")),
    ("医院接口工程师", _OF_THE_MACHINE, ("connect-hospital", "hl7-mapping")),
    ("运行维护", _OF_THE_MACHINE, ("operations", "configuration", "long-work", "scale", "growth", "performance", "performance-line")),
    (
        "账号、安全与合规", frozenset({Role.SECURITY_ADMIN, Role.AUDITOR}),
        ("access", "at-rest", "data-classes", "dpia", "threat-model", "claims"),
    ),
    ("FHIR 与二次开发", frozenset(), ("fhir-api", "planner", "architecture")),
)  # fmt: skip
"""For whom, the roles that read it first, and the documents in the order in which they are read."""


@router.get("/help")
def contents(page: SignedPage) -> Response:
    """The pages of the reader's own roles, then the other roles, then all documents by reader, the reader's own first."""
    held = page.who.actor.roles if page.who else frozenset()
    own = [role for role in ROLES if role in held]
    groups = sorted(READERS, key=lambda group: group[1].isdisjoint(own))
    return page.show(
        "help.html",
        title=page.say("使用帮助"),
        text="",
        own=[_lower(_for_reader(page, DOCS / "roles" / f"{role}.md")[1]) for role in own],
        others=[(f"{_ROLE}{role}", ROLE_TITLES[role]) for role in ROLES if role not in own],
        groups=[(title, [(name, _read(_in_language(page, DOCS / f"{name}.md"))[0]) for name in names]) for title, _, names in groups],
        whole="",
    )


@router.get("/help/{name}")
def document(page: SignedPage, name: str, full: bool = False) -> Response:
    """The page of a role, or one document: in Chinese where whoever cares for people reads it so, else (and with ``full``) whole."""
    plain = name.removesuffix(".md")
    path = DOCS / "roles" / f"{plain.removeprefix(_ROLE)}.md" if plain.startswith(_ROLE) else DOCS / f"{plain}.md"
    if not _NAME.fullmatch(plain) or not path.is_file():
        raise NotFound("there is no such document")
    shown = path if full else _in_language(page, path)
    title, text = _for_reader(page, shown)
    return page.show("help.html", title=title, text=text, whole=f"/help/{plain}?full=true" if shown != path else "")


def _in_language(page: Page, path: Path) -> Path:
    """The Chinese edition of a document for whoever reads Chinese, where there is one."""
    chinese = CHINESE / path.name
    return chinese if page.language == "zh" and path.parent == DOCS and chinese.is_file() else path


@router.get("/help/pictures/{name}")
def picture(page: SignedPage, name: str) -> Response:
    """A picture of a document."""
    path = DOCS / "pictures" / name
    if not _NAME.fullmatch(name) or path.suffix not in _PICTURES or not path.is_file():
        raise NotFound("there is no such picture")
    return FileResponse(path, media_type=_PICTURES[path.suffix])


def _for_reader(page: Page, path: Path) -> tuple[str, str]:
    """Title and HTML of a document; where it leads to a page that the reader may not open, the words stay and the link goes."""
    title, text = _read(path)

    def link(found: re.Match[str]) -> str:
        return found[0] if page.who is not None and may_open(page.who, found[1]) else found[2]

    return title, re.sub(r'<a href="(/[^"]*)">(.*?)</a>', link, text)


def _lower(text: str) -> str:
    """Headings one step lower, below the heading of the page."""
    return re.sub(r"(</?h)([1-5])>", lambda found: f"{found[1]}{int(found[2]) + 1}>", text)


def _read(path: Path) -> tuple[str, str]:
    return rendered(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def rendered(path: Path, _stamp: int) -> tuple[str, str]:
    """Title and HTML of a document; raw HTML in it is shown as text, never passed on."""
    source = path.read_text(encoding="utf-8")
    first = next((line.removeprefix("# ").strip() for line in source.splitlines() if line.startswith("# ")), path.stem)
    made = MarkdownIt("commonmark", {"html": False}).enable("table").render(source)
    return first, re.sub(r'(href|src)="(?:docs/|(?:\.\./)+)?(pictures/)?([a-z0-9_.-]+)\.(md|png|svg)(#[^"]*)?"', _link, made)


def _link(found: re.Match[str]) -> str:
    attribute, folder, name, ending, anchor = found.groups()
    target = f"/help/{folder or ''}{name}" + ("" if ending == "md" else f".{ending}")
    return f'{attribute}="{target}{anchor or ""}"'
