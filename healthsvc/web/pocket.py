"""随身 visits on the phone: the application, the days that it takes along, and the records that come back."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from healthsvc import clock
from healthsvc.access.door import COOKIE, Signed, StoreReading, StoreWriting, needs, writing_as
from healthsvc.access.sessions import digest
from healthsvc.errors import Forbidden, Invalid
from healthsvc.pocket import grants
from healthsvc.pocket.policy import policy_of
from healthsvc.store import SYSTEM
from healthsvc.store.sealing import Seal
from healthsvc.web import pocket_app as app
from healthsvc.web.findings_form import MISSED
from healthsvc.web.pocket_days import days
from healthsvc.web.pocket_sent import Batch
from healthsvc.web.pocket_take import Counter, take
from healthsvc.web.render import OpenPage, SignedPage

router = APIRouter()


class Known(BaseModel):
    """A phone that has been here before."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    grant: str = Field("", max_length=40)
    token: str = Field("", max_length=80)


class Remembered(BaseModel):
    """Every grant that a browser remembers, the latest first: several accounts may have used it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    known: list[Known] = Field(default_factory=list, max_length=20)


class Ended(BaseModel):
    """A phone that carries nothing any more. ``forget``: nothing unsent lies on it."""

    model_config = ConfigDict(extra="forbid")

    grant: str = Field(max_length=40)
    forget: bool = False


def sealing(request: Request) -> Seal:
    """The keys that seal what is kept at rest."""
    return Seal.of(request.app.state.settings.sealing_folder)


Sealing = Annotated[Seal, Depends(sealing)]


@router.get("/pocket")
def shell(page: OpenPage) -> Response:
    """The application's page: the same for everybody, without a word about anybody."""
    return page.show("pocket.html", address=app.versioned, words=app.spoken(page.language))


@router.get("/worker.js")
def worker(page: OpenPage) -> Response:
    """The service worker, for the whole site: it answers where there is no network, and leaves everything else alone."""
    return Response(app.worker(page.language), media_type="text/javascript", headers={"cache-control": "no-cache"})


@router.post("/api/pocket/standing")
def standing(request: Request, known: Known) -> dict[str, bool]:
    """Whether a phone may still carry what it took along; it proves itself by its own secret, so that it can ask without a session."""
    with request.app.state.database.reading(SYSTEM, at=clock.now()) as store:
        return {"holds": grants.holds(store, known.grant, known.token)}


@router.get("/api/pocket/hello", dependencies=[needs("write-clinical")])
def hello(who: Signed, store: StoreReading) -> dict[str, Any]:
    """Who is signed in, what time it is, and the terms on which visits are carried along."""
    policy = policy_of(store)
    return {
        "csrf": who.session.csrf if who.session else "",
        "name": who.actor.name,
        "practitioner": who.session.practitioner if who.session else None,
        "now": clock.now().isoformat(),
        "zone": store.zone.key,
        "terms": {
            "keep_hours": policy.keep_hours,
            "idle_hours": policy.idle_hours,
            "lock_minutes": policy.lock_minutes,
            "code_length": policy.code_length,
            "code_tries": policy.code_tries,
            "batch": policy.batch,
            "retry_seconds": policy.retry_seconds,
        },
    }


@router.post("/api/pocket/open")
def open_here(request: Request, who: Signed, store: StoreWriting, seal: Sealing, told: Remembered) -> dict[str, Any]:
    """Let this browser carry visits along; gives its secret and the key of what lies on it."""
    if who.session is None:
        raise Forbidden("a phone is opened from a page that is signed in", reason="pocket-session")
    grant = grants.open_grant(
        store, seal, who.session.login, [(one.grant, one.token) for one in told.known], digest(request.cookies.get(COOKIE, ""))
    )
    return {"grant": grant.id, "token": grant.token, "key": base64.b64encode(grant.key).decode(), "again": grant.again}


@router.get("/api/pocket/days", dependencies=[needs("write-clinical")])
def carried(page: SignedPage, store: StoreReading) -> dict[str, Any]:
    """One's own next days, with the forms to fill in."""
    session = page.who.session if page.who else None
    policy = policy_of(store)
    me = session.practitioner if session else None
    return {
        "now": clock.now().isoformat(),
        "me": me,
        "days": days(store, page, me, policy) if me else [],
        "missed": [[code, page.say(title)] for code, title in MISSED],
    }


@router.post("/api/pocket/records", dependencies=[needs("write-clinical")])
def records(page: SignedPage, who: Signed, request: Request, seal: Sealing, batch: Batch) -> dict[str, Any]:
    """Take in what was written down on the phone: each record in a transaction of its own, each once, whatever is sent how often."""
    if who.session is None:
        raise Forbidden("a phone's records come from a page that is signed in", reason="pocket-session")
    database = request.app.state.database
    with writing_as(database, who.actor) as store:
        most, held = policy_of(store).batch, grants.touch(store, batch.grant, who.session.login)
    if len(batch.records) > most:
        raise Invalid(f"at most {most} records in one request; send the rest in the next", reason="pocket-batch")
    if not held:
        raise Forbidden("this phone may no longer send; open the page with a fresh sign-in", reason="pocket-ended")
    counter = Counter(database, seal, who, page)
    return {"answers": [take(counter, one) for one in batch.records], "now": clock.now().isoformat()}


@router.post("/api/pocket/end")
def end(who: Signed, store: StoreWriting, ended: Ended) -> Response:
    """This browser carries nothing any more."""
    if who.session is None:
        raise Forbidden("a phone is closed from a page that is signed in", reason="pocket-session")
    grants.end_grant(store, ended.grant, who.session.login, forget=ended.forget)
    return Response(status_code=204)
