"""Every answer that shows people or their records leaves a row in the audit: each reading route, from the route table, by whoever may.

A new route is tried without anybody thinking of it; one with a parameter says below which record it can be shown by.
"""

import re
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from fastapi.dependencies.models import Dependant
from sqlalchemy import select
from test_web_every_page import AT, Town, _by_hand, examples, town

from healthsvc.access import rules
from healthsvc.app import create_app
from healthsvc.circle.town import town as stations
from healthsvc.store import SYSTEM
from healthsvc.store.tables import AuditRow

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "wire"))
from test_role_matrix import OPEN, asked, routes

__all__ = ["town"]
SHOWS_NOBODY = {
    "/openapi.json": "describes the API",
    "/start": "leads to the page where one's work begins",
    "/account/password": "one's own password",
    "/account/code": "one's own second factor",
    "/account/second-factor": "one's own second factor",
    "/account/sessions": "one's own sessions",
    "/policy": "parameters",
    "/help": "the handbook",
    "/help/{name}": "the handbook",
    "/window": "an empty field; each question is an act",
    "/api/circle/status": "which roads are loaded",
    "/api/circle/roads.geojson": "roads",
    "/map/roads.json": "roads",
    "/map/circles.json": "stations and how far they reach",
    "/roster/template.xlsx": "an empty table",
    "/api/ledgers": "which ledgers there are",
    "/progress": "one's own work in the background, by kind and count",
    "/progress/open": "one's own work in the background, by kind and count",
    "/api/progress": "one's own work in the background, by kind and count",
}
"""Reading routes that leave no row, and what they show."""
ELSEWHERE = {
    "/api/documents/known", "/api/infusion/visits/{task}/gates", "/api/infusion/returns", "/api/homebed/{bed}/blockers",
    "/api/dayplan/later/{id}", "/api/checkup/decisions/{decision}/replay", "/api/emergency/sheet", "/api/greenchannel/answer",
    "/map/siting.json", "/board/week/proposal", "/board/{on}/proposal", "/api/dayplan/{on}/proposal", "/pocket/desk/{key}",
    "/infusions/reactions/{event}", "/emergency/{alarm}", "/api/circle/siting", "/sign-out", "/audit/verify", "/api/circle/matrix",
    "/api/circle/home/{patient}", "/auth/authorize", "/api/contract/cards/{token}", "/cards/{token}", "/help/pictures/{name}",
    "/api/dayplan/{on}", "/progress/{id}", "/api/progress/{id}",
    "/attachments/{type}/{id}/{turn}", "/contracts/taking-over", "/contracts/taking-over/notices", "/operate/replay",
}  # fmt: skip
"""Shown by what only stands after something has happened, or asked with a body of its own; the tests of their rooms do."""
LOGINS = ("doctor1", "head1", "coordinator1", "bureau1", "operator1", "admin1", "system1", "auditor1", "window1", "hotline1")


def test_every_look_leaves_its_trace(town: Town) -> None:
    _by_hand(town)
    town.installation.database.reads.before_answer = True  # so that no trace is still on its way when the answer is here
    app, watched = create_app(town.installation), Watched(town)
    silent, wrong, words = [], [], []
    tried = 0
    with town.installation.database.reading(SYSTEM, at=AT) as store:
        names = {one["name"][0]["text"] for one in store.select("Patient")}
        document = next(one["id"] for one in store.select("DocumentReference", patient=town.world.first))
    for route in routes(app):
        if route.path in OPEN or route.path in ELSEWHERE or route.path.startswith("/fhir"):
            continue
        reads = "GET" in route.methods
        if not reads and not ("POST" in route.methods and "reading" in asked(route.dependant)):
            continue
        tried += 1
        path = address(route.path, town, document)
        nobody = reads and route.path in SHOWS_NOBODY
        login, posted = login_for(route.path, route.dependant), None if reads else BODIES.get(route.path, {})
        answer, rows = watched.look(path, login, posted=posted, wait=not nobody)
        for _ in range(3 if nobody and rows else 0):
            # what another browser of the town did may have been written meanwhile; a row of this route comes every time
            answer, rows = watched.look(path, login, posted=posted, wait=False)
            if not rows:
                break
        place = f"{'GET' if reads else 'POST'} {route.path} -> {answer.status_code}"
        if answer.status_code >= 400 and not (path == "/cards" and answer.status_code == 422):
            wrong.append(place)
        elif bool(rows) == nobody:
            silent.append(f"{place} {[tuple(row) for row in rows]}")
        words += [place for row in rows for name in names if name in f"{row.subject} {row.purpose}"]
        shown = [name for name in names if name in answer.text]
        if rows and shown and not any(row.patient for row in rows):
            silent.append(f"{place} shows {len(shown)} people and names none")
    watched.close()
    assert wrong == [], "these were not shown; say by which record they can be, or list them as tried elsewhere"
    assert silent == [], "note whom it shows, or list it with the reason why it shows nobody"
    assert words == []
    assert tried > 120


BODIES: dict[str, dict[str, Any]] = {
    "/people": {"q": "单"},
    "/people/suggest": {"q": "单"},
    "/cards": {"token": "none"},
    "/window": {"number": "33029900100100000"},
    "/emergency": {"number": "0574-12340000", "kind": "help"},
    "/glass": {"number": "33029900100100000", "reason": "夜间急诊需要病史"},
}


class Watched:
    """The staff's browsers, and what is written in the audit while they look."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._browsers: dict[str, tuple[httpx.Client, str]] = {}
        self._table = AuditRow.__table__  # type: ignore[attr-defined]

    def look(self, path: str, login: str, *, posted: dict[str, Any] | None, wait: bool) -> tuple[httpx.Response, list[Any]]:
        """What came, and the rows that were written meanwhile."""
        database, table = self.town.installation.database, self._table
        client, csrf = self._browser(login)
        database.reads.flush()
        with database.engine.connect() as connection:
            last = connection.execute(select(table.c.seq).order_by(table.c.seq.desc()).limit(1)).scalar() or 0
        answer = client.get(path) if posted is None else client.post(path, data=posted, headers={"x-csrf-token": csrf})
        rows: list[Any] = []
        for _ in range(25 if wait else 1):
            database.reads.flush()
            with database.engine.connect() as connection:
                rows = list(connection.execute(select(table).where(table.c.seq > last)))
            if rows:
                break
            time.sleep(0.02)
        return answer, rows

    def close(self) -> None:
        """Shut the browsers."""
        for client, _ in self._browsers.values():
            client.close()

    def _browser(self, login: str) -> tuple[httpx.Client, str]:
        if login not in self._browsers:
            client = httpx.Client(base_url=self.town.url, cookies=self.town.cookies[login], timeout=180, verify=False)
            found = re.search(r'name="csrf" value="([^"]+)"', client.get("/account/password").text)
            assert found is not None
            self._browsers[login] = (client, found[1])
        return self._browsers[login]


def login_for(path: str, dependant: Dependant) -> str:
    """The first of the staff who may; a doctor where being signed in is enough."""
    wanted = list(asked(dependant) - {"reading", "writing", "signed"})
    if not wanted:
        wanted = ["write-clinical" if "writing" in asked(dependant) else "read-clinical"]
    roles = {"head1": "centre-head", "window1": "hospital-window", "admin1": "security-admin", "system1": "system-admin"}
    for login in LOGINS:
        held = frozenset({roles.get(login, login.rstrip("1"))})
        if all(rules.allows(held, one) for one in wanted):
            return login
    raise AssertionError(f"nobody may {wanted} at {path}")


def address(path: str, town: Town, document: str) -> str:
    """Where a route can be seen."""
    ids, first, on = town.ids, town.world.first, town.world.day.isoformat()
    station = stations().stations[0].id
    if path in QUERIES:
        return QUERIES[path].format(
            on=on, due=town.world.due, dose=ids["dose"], bed=ids["bed"], document=document, paper="front-page", station=station
        )
    try:
        return examples(path, town)[0]
    except KeyError:
        known = {
            "patient": first, "on": on, "task": town.world.due, "form": "csv", "bed": ids["bed"], "course": ids["course"],
            "contract": ids["contract"], "alarm": ids["alarm"], "response": ids["response"], "referral": ids["referral"],
            "id": ids["contract"], "document": document, "type": "Patient", "name": "x",
        }  # fmt: skip
        return re.sub(r"\{(\w+)[^}]*\}", lambda found: known.get(found[1], "x"), path)


QUERIES = {
    "/api/circle/reach": "/api/circle/reach?station={station}",
    "/api/greenchannel/waits": "/api/greenchannel/waits?first=2026-10-01&last=2026-11-23",
    "/api/infusion/drip-rate": "/api/infusion/drip-rate?rate_ml_h=100",
    "/api/infusion/overrides/count": "/api/infusion/overrides/count?start=2026-11-01&end=2026-11-23",
    "/api/infusion/visits/{task}": "/api/infusion/visits/{dose}",
    "/api/homebed/{bed}/documents/{name}.pdf": "/api/homebed/{bed}/documents/{paper}.pdf",
    "/beds/{bed}/papers/{name}.pdf": "/beds/{bed}/papers/{paper}.pdf",
    "/documents/{id}.pdf": "/documents/{document}.pdf",
    "/api/dayplan/{on}/places": "/api/dayplan/{on}/places?task={due}",
    "/api/dayplan/{on}/why": "/api/dayplan/{on}/why?task={due}",
    "/api/indicators/{code}": "/api/indicators/overdue",
    "/api/indicators/{code}/people": "/api/indicators/overdue/people",
    "/api/indicators/{code}/people.{form}": "/api/indicators/overdue/people.csv",
    "/api/ledgers/{name}.{form}": "/api/ledgers/contracts.csv?first=2026-01-01&last=2026-11-23",
    "/figures/ledgers/{name}.{form}": "/figures/ledgers/contracts.csv?first=2026-01-01&last=2026-11-23",
}
