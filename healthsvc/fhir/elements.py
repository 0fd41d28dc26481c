"""The small parts that all resources are made of: references, codings, periods, extensions. Written once for every room."""

from datetime import date, datetime
from hashlib import blake2b
from typing import Any, Final
from zoneinfo import ZoneInfo

from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import extension as extension_url
from healthsvc.fhir.systems import profile

_ID_LIMIT: Final = 64
_OVER: Final = frozenset({"inactive", "remission", "resolved", "refuted", "entered-in-error"})


def derived_id(prefix: str, base: str) -> str:
    """An id made of another one, at most 64 characters as FHIR wants it; the same input gives the same id."""
    wanted = f"{prefix}-{base}"
    if len(wanted) <= _ID_LIMIT:
        return wanted
    digest = blake2b(base.encode(), digest_size=8).hexdigest()
    return f"{wanted[: _ID_LIMIT - len(digest) - 1]}-{digest}"


def reference(type_: str, id_: str) -> Resource:
    """A relative reference to one of our own resources."""
    return {"reference": f"{type_}/{id_}"}


def reference_id(element: Resource | None, type_: str) -> str | None:
    """The id that a reference points at, or None where it is absent or points at another type."""
    parts = str((element or {}).get("reference", "")).split("/_history/")[0].rsplit("/", 2)
    return parts[-1] if len(parts) > 1 and parts[-2] == type_ else None


def coding(system: str, code: str, display: str | None = None) -> Resource:
    """A Coding."""
    return {"system": system, "code": code, **({"display": display} if display else {})}


def concept(system: str, code: str, display: str | None = None) -> Resource:
    """A CodeableConcept with one coding."""
    return {"coding": [coding(system, code, display)]}


def codes(element: Any, system: str) -> tuple[str, ...]:
    """The codes of one system in a CodeableConcept or in a list of them."""
    concepts = element if isinstance(element, list) else [element or {}]
    return tuple(c["code"] for one in concepts for c in one.get("coding", ()) if c.get("system") == system and "code" in c)


def performed(procedure: Resource) -> str:
    """When something was done, or began, as it is written; empty where nobody says."""
    return str(procedure.get("performedDateTime") or procedure.get("performedPeriod", {}).get("start", ""))


def words_of(concept: Any) -> str:
    """What a CodeableConcept says: its text, else what its first code is called."""
    if not isinstance(concept, dict):
        return ""
    return str(concept.get("text") or next((one.get("display") or one.get("code", "") for one in concept.get("coding", ())), ""))


def instant(at: datetime) -> str:
    """A moment as FHIR writes it, to the second (microseconds only where there are some), in the zone that it carries."""
    if at.tzinfo is None:
        raise Invalid("a moment needs its zone, for example 2026-11-22T08:00:00+08:00")
    return at.isoformat()


def moment(text: str, path: str) -> datetime:
    """Read a FHIR dateTime that has a time and a zone.

    Raises:
        Invalid: it is a bare date, has no zone, or is no date at all; ``path`` says which element.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{path} is not a date and time; write it as 2026-11-22T08:00:00+08:00", path=path) from None
    if at.tzinfo is None:
        raise Invalid(f"{path} needs a time and a zone; write it as 2026-11-22T08:00:00+08:00", path=path)
    return at


def day(text: str, path: str) -> date:
    """Read the day of a FHIR date or dateTime (as written, in its own zone).

    Raises:
        Invalid: it is less than a whole day (``2026-11``) or no date.
    """
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise Invalid(f"{path} is not a whole day; write it as 2026-11-22", path=path) from None


def is_active(resource: Resource) -> bool:
    """Whether an illness or an allergy counts now: neither over nor refuted nor entered in error; without a status it counts."""
    states = {c.get("code") for key in ("clinicalStatus", "verificationStatus") for c in resource.get(key, {}).get("coding", ())}
    return not states & _OVER


def first_moment(text: object, zone: ZoneInfo) -> datetime | None:
    """The first moment of a FHIR date (``2026``, ``2026-05``, ``2026-05-01``) or dateTime, in a zone where it has none of its own."""
    told = str(text or "")
    padded = told + "-01-01"[len(told) - 10 :] if 4 <= len(told) < 10 else told
    try:
        at = datetime.fromisoformat(padded)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def period(start: date | datetime, end: date | datetime | None = None) -> Resource:
    """A Period; an open one where there is no end."""
    written = {"start": _written(start)}
    if end is not None:
        written["end"] = _written(end)
    return written


def extensions(element: Resource, name: str) -> list[Resource]:
    """The extensions of one of our own kinds (by its short name) on an element."""
    url = extension_url(name)
    return [one for one in element.get("extension", ()) if one.get("url") == url]


def extension(name: str, **value: Any) -> Resource:
    """One of our own extensions by its short name: ``extension("cadre-category", valueCode="lixiu")``."""
    return {"url": extension_url(name), **value}


def conforming(resource: Resource, *names: str) -> Resource:
    """The resource with these profiles of ours declared in meta.profile; those of others that it declares stay."""
    meta = resource.get("meta", {})
    others = [url for url in meta.get("profile", ()) if not str(url).startswith(profile(""))]
    return resource | {"meta": {**meta, "profile": [*map(profile, names), *others]}}


def _written(value: date | datetime) -> str:
    return instant(value) if isinstance(value, datetime) else value.isoformat()
