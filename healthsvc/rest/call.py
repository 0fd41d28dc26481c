"""One FHIR interaction as it is asked, by a request of its own or by an entry of a bundle; and what a request may be written in."""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.types import Receive, Scope

from healthsvc.errors import Malformed, NotSupported, Refusal, TooLarge
from healthsvc.fhir.json import Resource, loads
from healthsvc.fhir.systems import BASE
from healthsvc.rest.native import may_be_native, wrapped
from healthsvc.store.search.parse import shown

FHIR_JSON = "application/fhir+json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
_JSON = frozenset({"application/fhir+json", "application/json", "text/json", "application/json+fhir", JSON_PATCH, MERGE_PATCH})
_OTHER_FHIR = frozenset({"application/fhir+xml", "application/xml+fhir", "application/fhir+turtle", "application/x-turtle"})
"""FHIR in forms that we do not read: of a Binary, too, they mean the resource and not its bytes."""
_ACCEPTED = frozenset({"application/fhir+json", "application/json", "text/json", "application/json+fhir", "application/*", "text/*", "*/*"})
_FORMATS = frozenset({"json", "application/fhir+json", "application/json", "application/json+fhir", "text/json", "application/fhir json"})
_HEADERS = frozenset(
    {
        b"host", b"accept", b"prefer", b"content-type", b"content-length", b"content-encoding", b"if-match", b"if-none-match",
        b"if-modified-since", b"if-none-exist", b"x-security-context",
    }
)  # fmt: skip
"""Headers that say something of an interaction; the others are not even decoded."""
_OUTSIDE = frozenset({"_format", "_pretty"})
"""Parameters about the form of the answer: no part of a search."""


class NotAcceptable(Refusal):
    """The answer is wanted in a format that we do not write."""

    status = 406
    issue_code = "not-supported"


class UnsupportedMedia(Refusal):
    """The body is in a format that we do not read."""

    status = 415
    issue_code = "not-supported"


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked."""

    base: str
    """Our own url, without the last slash."""
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    media: str = ""
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_none_exist: str | None = None
    prefer: dict[str, str] = field(default_factory=dict)
    pretty: bool = False
    native: str = ""
    """The content type of a body that is the bytes of a Binary, not FHIR."""
    security_context: str | None = None
    bytes_wanted: str = ""
    """What the client takes, where it asks for a Binary and takes no FHIR."""

    @property
    def bases(self) -> frozenset[str]:
        """Urls under which absolute references are ours."""
        return frozenset((self.base, BASE))

    @property
    def prefers(self) -> str | None:
        """``minimal``, ``representation`` or ``OperationOutcome``; None where the client does not say."""
        return self.prefer.get("return")

    @property
    def handling(self) -> bool | None:
        """Whether what is not understood is to be refused (``handling=strict``) or left out (lenient); None: the client does not say."""
        return {"strict": True, "lenient": False}.get(self.prefer.get("handling", ""))

    def only(self, *known: str) -> dict[str, str]:
        """The parameters of the address by name, all of them among those that are known here.

        Raises:
            NotSupported: there is another one.
        """
        for name, _ in self.query:
            if name not in known:
                raise NotSupported(f"{shown(name)} is not offered here; there are {', '.join(known)}", path=shown(name))
        return dict(self.query)

    def resource(self, type: str | None = None) -> Resource:
        """The resource in the body.

        Raises:
            Malformed: there is none, or it is of another type than the url says.
        """
        if self.native:
            return wrapped(self.body, self.native, self.security_context)
        return as_resource(loads(self.body) if self.body else None, type)


def as_resource(value: object, type: str | None = None) -> Resource:
    """A value that must be a resource (of that type)."""
    if not isinstance(value, dict):
        raise Malformed("the body must be one FHIR resource as a JSON object")
    kind = value.get("resourceType")
    if not isinstance(kind, str):
        raise Malformed("the body has no resourceType", path="resourceType")
    if type is not None and kind != type:
        raise Malformed(f"the body is of another type than {type}, which the url says", path="resourceType")
    return value


async def call_of(request: Request) -> Call:
    """The call that a request makes.

    Raises:
        NotAcceptable, UnsupportedMedia: it wants or is in a format other than JSON.
        TooLarge: the body is over the limit of the settings.
    """
    return await call_from(request.scope, request.receive, request.app.state.settings.request_limit)


async def call_from(scope: Scope, receive: Receive, limit: int) -> Call:
    """As :func:`call_of`, from the bare ASGI request; ``limit`` bytes is the largest body."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        if raw_name not in _HEADERS:
            continue
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    text = scope["query_string"].decode("latin-1")
    query = tuple(parse_qsl(text, keep_blank_values=True)) if text else ()
    place = may_be_native(scope["path"])
    bytes_wanted = _accepted(query, headers.get("accept"), place and scope["method"] in ("GET", "HEAD"))
    body, media, native = b"", "", ""
    if scope["method"] in ("POST", "PUT", "PATCH"):
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        body = inflated(await read_body(headers, receive, limit), headers.get("content-encoding", ""), limit)
        if media == "application/x-www-form-urlencoded":
            query += tuple(parse_qsl(_text(body), keep_blank_values=True))
            _check_format(query, None)
        elif body and scope["path"].endswith("/_search"):
            raise UnsupportedMedia("send a search by POST as application/x-www-form-urlencoded, or its parameters in the url of a GET")
        elif place and media and media not in _JSON and media not in _OTHER_FHIR and scope["method"] != "PATCH":
            native = headers["content-type"].strip()
        elif body and (media not in _JSON or not _is_r4([one.strip().lower() for one in headers["content-type"].split(";")[1:]])):
            raise UnsupportedMedia("send FHIR resources as application/fhir+json (R4); other formats are not read here")
    get = headers.get
    return Call(
        f"{scope['scheme']}://{get('host') or _server(scope)}{scope.get('root_path', '')}/fhir",
        tuple(pair for pair in query if pair[0] not in _OUTSIDE) if query else (),
        body,
        media,
        get("if-match"),
        get("if-none-match"),
        get("if-modified-since"),
        get("if-none-exist"),
        preferences([get("prefer", "")]) if "prefer" in headers else {},
        ("_pretty", "true") in query,
        native,
        get("x-security-context"),
        bytes_wanted,
    )


def _server(scope: Scope) -> str:
    host, port = scope.get("server") or ("localhost", None)
    return f"{host}:{port}" if port else str(host)


async def read_body(headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
    """The whole body, if it is not over the limit (bytes)."""
    too_large = f"the request body is over {limit} bytes; send less at once"
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise TooLarge(too_large)
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("the request ended before its body did")
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise TooLarge(too_large)
        parts.append(part)
    return b"".join(parts)


def inflated(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before it was packed for the way (RFC 9110 8.4), if it is not over the limit then.

    Raises:
        UnsupportedMedia: it is packed otherwise than by gzip.
        Malformed: it is not what it says.
        TooLarge: over the limit (bytes).
    """
    if encoding.strip().lower() in ("", "identity"):
        return body
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise UnsupportedMedia("send the body as it is, or with Content-Encoding: gzip")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise Malformed("the body is not gzip, though Content-Encoding says so") from None
    if len(plain) > limit:
        raise TooLarge(f"the request body is over {limit} bytes once it is unpacked; send less at once")
    if not unpacker.eof:
        raise Malformed("the gzip of the body ends too early")
    return plain


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"the form is not UTF-8 (byte {error.start})") from None


def preferences(headers: Sequence[str]) -> dict[str, str]:
    """``Prefer: return=minimal; handling=strict`` as names and values; repeated headers and commas too."""
    found: dict[str, str] = {}
    for header in headers:
        for one in header.replace(";", ",").split(","):
            name, _, value = one.strip().partition("=")
            if name:
                found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found


def _accepted(query: Sequence[tuple[str, str]], accept: str | None, may_be_bytes: bool) -> str:
    """What is wanted instead of FHIR JSON, where that may be (the bytes of a Binary); else nothing, or :class:`NotAcceptable`."""
    try:
        _check_format(query, accept)
    except NotAcceptable:
        if not may_be_bytes or any(name == "_format" for name, _ in query):
            raise
        return accept or ""
    return ""


def _check_format(query: Sequence[tuple[str, str]], accept: str | None) -> None:
    """JSON is what we write, whether asked for by ``_format`` or by ``Accept``."""
    for name, value in query:
        if name == "_format":
            if value.partition(";")[0].strip().lower() not in _FORMATS:
                raise NotAcceptable("answers are written as application/fhir+json only; ask for _format=json")
            return
    if accept and not _takes_json(accept):
        raise NotAcceptable("answers are written as application/fhir+json (R4) only; send Accept: application/fhir+json")


@lru_cache(maxsize=256)
def _takes_json(accept: str) -> bool:
    """Whether what a client accepts can be FHIR R4 in JSON."""
    for one in accept.split(","):
        media, *parameters = [part.strip().lower() for part in one.split(";")]
        if media in _ACCEPTED and _is_r4(parameters) and not any(_REFUSED.fullmatch(part) for part in parameters):
            return True
    return False


_REFUSED = re.compile(r"q=0(\.0{0,3})?")
"""A weight that means: not this (RFC 9110 12.4.2)."""


def _is_r4(parameters: Sequence[str]) -> bool:
    """Whether the parameters of a media type leave it the FHIR that is spoken here (R4 2.1.0.1.2)."""
    return all(not part.startswith("fhirversion=") or part[12:].strip('"').startswith("4.0") for part in parameters)
