"""随身 the application on the phone: which files it is made of, and their version, which is their content."""

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from healthsvc.web import words

STATIC: Final = Path(__file__).parent / "static"
SHELL: Final = "/pocket"
_FILES: Final = (
    *("base.css", "frame.css", "parts.css", "pages.css", "pocket.css", "form.js", "sign.js"),
    *sorted(f"pocket/{one.name}" for one in (STATIC / "pocket").glob("*.js") if one.name != "worker.js"),
)
_CHINESE: Final = re.compile(r'"([^"\n]*[\u4e00-\u9fff][^"\n]*)"')
_PLAIN: Final = ("/static/icons.svg", "/static/mark.svg")
"""Addressed without a version by the parts of pages that go along."""


@lru_cache(maxsize=4)
def _version(stamps: tuple[tuple[str, int], ...]) -> str:
    content = hashlib.sha256()
    for name, _ in stamps:
        content.update(name.encode())
        content.update((STATIC / name).read_bytes())
    return content.hexdigest()[:12]


def version() -> str:
    """The content of the application in twelve digits; another content is another version."""
    names = (*_FILES, "pocket/worker.js", "icons.svg", "mark.svg", "../templates/pocket.html", "../english.toml")
    return _version(tuple((name, (STATIC / name).stat().st_mtime_ns) for name in names))


def versioned(name: str) -> str:
    """The address of one of its files; what it imports lies beside it, under the same version."""
    return f"/static/@{version()}/{name}"


def worker(language: str) -> str:
    """The service worker: its version and its files, then its code."""
    told = {"version": f"{version()}-{language}", "shell": SHELL, "files": [SHELL, *map(versioned, _FILES), *_PLAIN]}
    return f"const CARRIED = {json.dumps(told)};\n" + (STATIC / "pocket" / "worker.js").read_text(encoding="utf-8")


def spoken(language: str) -> dict[str, str]:
    """The words of the application in a language; Chinese needs no table."""
    return {} if language == "zh" else {text: words.say(text, language) for text in texts()}


@lru_cache(maxsize=1)
def texts() -> tuple[str, ...]:
    """Every Chinese text in its scripts."""
    found: list[str] = []
    for path in sorted((STATIC / "pocket").glob("*.js")):
        found += _CHINESE.findall(path.read_text(encoding="utf-8"))
    return tuple(dict.fromkeys(found))
