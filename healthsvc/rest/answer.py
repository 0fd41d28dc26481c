"""Answers as FHIR wants them: the stored bytes, a weak ETag, when it was written and where it is."""

from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache

from fastapi import Response
from starlette.types import Message, Send

from healthsvc.errors import Issue, Refusal
from healthsvc.fhir.json import Resource, dumps, loads
from healthsvc.fhir.outcome import of_refusal, operation_outcome
from healthsvc.store.stored import Stored

FHIR_JSON = "application/fhir+json; charset=utf-8"


@dataclass(slots=True)
class Answer:
    """Status, headers and body of one interaction, for a response of its own or an entry of a bundle."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    outcome: bytes | None = None
    """What a bundle entry says besides (warnings of a search, a refusal)."""
    media: str = FHIR_JSON

    def _laid_out(self, pretty: bool) -> bytes:
        return dumps(loads(self.body), pretty=True) if pretty and self.body and self.media is FHIR_JSON else self.body

    async def send(self, send: Send, *, pretty: bool = False) -> None:
        """The HTTP response, straight to the ASGI server."""
        start, body = self.messages(pretty=pretty)
        await send(start)
        await send(body)

    def messages(self, *, pretty: bool = False) -> tuple[Message, Message]:
        """The two ASGI messages of the HTTP response."""
        body = self._laid_out(pretty)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        if body:
            headers.append((b"content-type", self.media.encode()))
        if self.status not in (204, 304):
            headers.append((b"content-length", str(len(body)).encode()))
        start = {"type": "http.response.start", "status": self.status, "headers": headers}
        return start, {"type": "http.response.body", "body": body}

    def response(self, *, pretty: bool = False) -> Response:
        """The HTTP response."""
        body = self._laid_out(pretty)
        return Response(body, self.status, self.headers, media_type=self.media if body else None)


def etag(version: int) -> str:
    """The weak entity tag of a version."""
    return f'W/"{version}"'


def stamps(stored: Stored) -> dict[str, str]:
    """ETag and Last-Modified of a version."""
    return {"etag": etag(stored.version), "last-modified": _http_date(stored.updated // 1_000_000)}


@lru_cache(maxsize=8192)
def _http_date(second: int) -> str:
    """A second since 1970 UTC as HTTP writes it (RFC 9110 5.6.7)."""
    return formatdate(second, usegmt=True)


def location(base: str, stored: Stored) -> str:
    """The address of a version."""
    return f"{base}/{stored.type}/{stored.id}/_history/{stored.version}"


def written(stored: Stored, base: str, status: int, prefer: str | None) -> Answer:
    """The answer to a write: the resource, nothing, or an outcome, as the client prefers (``Prefer: return=``)."""
    headers = {**stamps(stored), "location": location(base, stored)}
    if prefer == "minimal":
        return Answer(status, b"", headers)
    if prefer == "OperationOutcome":
        said = "stored as version" if status != 201 else "created as version"
        return Answer(status, outcome([Issue(f"{said} {stored.version}", "informational", severity="information")]), headers)
    return Answer(status, stored.body, headers)


def outcome(issues: list[Issue]) -> bytes:
    """An OperationOutcome in bytes."""
    return dumps(operation_outcome(issues))


def refused(refusal: Refusal) -> Answer:
    """The answer to what was refused."""
    return Answer(refusal.status, dumps(of_refusal(refusal)))


def resource_answer(resource: Resource, status: int = 200) -> Answer:
    """A resource that was made for this answer and is stored nowhere."""
    return Answer(status, dumps(resource))
