"""One page for one reader: their language, their rights, the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2_fragments import render_block

from healthsvc import __version__, clock
from healthsvc.access.door import Signed, Who
from healthsvc.access.rules import ROLE_TITLES, Role
from healthsvc.errors import Refusal
from healthsvc.web import words
from healthsvc.web.evidence import evidence_word
from healthsvc.web.menu import menu

HERE = Path(__file__).parent


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates; whatever is not defined is an error, whatever is text is escaped."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals["version"] = __version__
    return made


@dataclass(frozen=True, slots=True)
class Page:
    """A request for a page: who reads it, in which language. ``who`` is None before sign-in."""

    request: Request
    who: Who | None

    @property
    def language(self) -> str:
        """``zh`` unless the reader chose English."""
        chosen = self.request.cookies.get(words.COOKIE, "zh")
        return chosen if chosen in words.LANGUAGES else "zh"

    def say(self, text: str, **values: object) -> str:
        """A text in the reader's language."""
        return words.say(text, self.language, **values)

    def told(self, refusal: Refusal) -> str:
        """A refusal in the reader's language: by its reason code where the catalogue has it, else by its kind and its own text."""
        if self.language == "en":
            return refusal.text
        known = words.reasons().get(refusal.reason or "")
        kind = words.reasons().get(refusal.issue_code, "")
        return known or (f"{kind}（{refusal.text}）" if refusal.reason else kind) or refusal.text

    def show(self, template: str, *, status: int = 200, block: str | None = None, **values: Any) -> HTMLResponse:
        """Render a template (or one block of it, for a part of a page that is asked for again)."""
        return HTMLResponse(self.written(template, block=block, **values), status_code=status)

    def written(self, template: str, *, block: str | None = None, **values: Any) -> str:
        """A template, or one block of it, as text."""
        told = {**self._frame(), **values}
        known = environment()
        return known.get_template(template).render(told) if block is None else render_block(known, template, block, told)

    @property
    def wants_part(self) -> bool:
        """Whether htmx asks for a part of the page that is already there."""
        return self.request.headers.get("hx-request") == "true"

    def _frame(self) -> Mapping[str, Any]:
        zone, language = clock.zone(self.request.app.state.settings.zone), self.language
        today = clock.today(zone)
        path = self.request.url.path
        return {
            "t": self.say,
            "lang": language,
            "path": path,
            "who": self.who,
            "roles": self._role_titles(),
            "csrf": self.who.session.csrf if self.who and self.who.session else "",
            "menu": menu(self.who, path) if self.who else [],
            "site_name": self.request.app.state.settings.site_name,
            "today": today,
            "long_day": partial(words.long_day, language=language),
            "weekday": partial(words.weekday, language=language),
            "short_day": lambda on: words.short_day(on, language, today.year),
            "day_of": lambda value: self._day(value, zone, today),
            "evidence_word": partial(evidence_word, zone=zone, language=language),
            "clock_time": lambda at: words.clock_time(at, zone),
        }

    def _day(self, value: object, zone: Any, today: date) -> str:
        """A FHIR date as one reads it; what is only a year or a month stays as it is."""
        day = words.as_day(value, zone)
        return words.short_day(day, self.language, today.year) if day else str(value or "")

    def _role_titles(self) -> str:
        held = self.who.actor.roles if self.who else frozenset()
        return "、".join(self.say(title) for role, title in ROLE_TITLES.items() if Role(role) in held)


def signed_page(request: Request, who: Signed) -> Page:
    """A page for somebody who is signed in."""
    return Page(request, who)


SignedPage = Annotated[Page, Depends(signed_page)]


def open_page(request: Request) -> Page:
    """A page for anybody: the sign-in, an error."""
    return Page(request, None)


OpenPage = Annotated[Page, Depends(open_page)]


def local(at: datetime, page: Page) -> datetime:
    """A moment in the site's zone."""
    return at.astimezone(clock.zone(page.request.app.state.settings.zone))
