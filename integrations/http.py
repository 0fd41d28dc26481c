"""HL7 over HTTP: POST a message or a whole FHS/BHS batch, get the answer that MLLP would have given.

``POST /hl7`` with a bearer token of role ``system``; the body is ER7 in any character set. 200 with AA or CA, 422 with AE, AR, CE or CR,
503 where it could not be stored (send it again), 204 where the sender wants no answer. A batch is read piece by piece and answered alike.
``POST /hl7/soap`` takes the same in a SOAP envelope, whatever the caller's platform names the operation.
"""

import io
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from healthsvc.access.door import needs
from healthsvc.errors import Malformed, Refusal, TooLarge
from integrations.hl7v2 import soap
from integrations.hl7v2.batch import batch_head, batch_tail, holds_several, is_batch, messages_of
from integrations.hl7v2.replies import read_reply
from integrations.hospitals.profile import HTTP_LISTEN
from integrations.inbox import Inbox

MEDIA_TYPE = "x-application/hl7-v2+er7"
_SPOOL = 1 << 20
_CHUNK = 1 << 20


def router(inbox: Inbox, limit: int, message_limit: int) -> APIRouter:
    """The addresses; ``limit`` is the largest body, ``message_limit`` the largest message in it, bytes."""
    made = APIRouter(include_in_schema=False)

    @made.post("/hl7", dependencies=[needs("feed")])
    async def take(request: Request) -> Response:
        """Take a message or a batch in and answer it once it is on disk."""
        peer = request.client.host if request.client else ""
        body = await _body(request, limit)
        head = body.read(64)
        body.seek(0)
        if not head.strip():
            body.close()
            raise Malformed("the body is empty; POST an HL7 v2 message (ER7)")
        if is_batch(head):
            return StreamingResponse(_batch(inbox, body, head, peer, message_limit), media_type=MEDIA_TYPE)
        with body:
            raw = body.read()
        if len(raw) > message_limit:
            raise TooLarge(f"the message is longer than {message_limit} bytes")
        answer = await run_in_threadpool(inbox.take_now, raw, HTTP_LISTEN, peer)
        # several messages have several answers, of which each tells its own result, as those of a batch do
        return Response(answer, status_code=200 if holds_several(raw) else _status(answer), media_type=MEDIA_TYPE)

    @made.post("/hl7/soap", dependencies=[needs("feed")])
    async def call(request: Request) -> Response:
        """The same for HL7 text in a SOAP envelope; what is wrong with the envelope is told as a SOAP fault."""
        version = soap.version_of(request.headers.get("content-type", ""))
        peer = request.client.host if request.client else ""
        try:
            with await _body(request, limit) as body:
                asked = soap.read_call(body.read(), request.headers.get("content-type", ""))
            version = asked.version
            if len(asked.message) > message_limit:
                raise TooLarge(f"the message is longer than {message_limit} bytes")
        except Refusal as refused:
            # SOAP 1.1 over HTTP answers every fault with 500, SOAP 1.2 those of the sender with 400
            status = 400 if version == soap.SOAP_12 else 500
            return Response(soap.fault(str(refused), version), status, media_type=soap.media_type(version))
        answer = await run_in_threadpool(_answer, inbox, asked.message, peer, message_limit)
        return Response(soap.answer(asked, answer), media_type=soap.media_type(version))

    @made.get("/hl7/soap", dependencies=[needs("feed")])
    def describe(request: Request) -> Response:
        """The WSDL of ``/hl7/soap``."""
        return Response(soap.wsdl(str(request.url.replace(query=""))), media_type="text/xml; charset=utf-8")

    return made


async def _body(request: Request, limit: int) -> BinaryIO:
    """The body of a request, on disk where it is large; whoever gets it closes it.

    Raises:
        TooLarge: it is longer than ``limit`` bytes.
    """
    body: BinaryIO = tempfile.SpooledTemporaryFile(_SPOOL)  # type: ignore[assignment]  # noqa: SIM115 - closed by whoever reads it
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            body.close()
            raise TooLarge(f"the body is longer than {limit} bytes; send smaller batches")
        body.write(chunk)
    body.seek(0)
    return body


def _answer(inbox: Inbox, message: bytes, peer: str, limit: int) -> bytes:
    """The answer to a message, or the answers to a batch between its own head and tail."""
    if not is_batch(message[:64]):
        return inbox.take_now(message, HTTP_LISTEN, peer)
    return b"".join(_batch(inbox, io.BytesIO(message), message[:64], peer, limit))


def _status(answer: bytes) -> int:
    if not answer:
        return 204
    reply = read_reply(answer)
    return 200 if reply.positive else 503 if "cannot write now" in reply.text else 422


def _batch(inbox: Inbox, body: BinaryIO, head: bytes, peer: str, limit: int) -> Iterator[bytes]:
    """The answers of a batch, each as soon as its message is on disk."""
    count = 0
    yield batch_head(head)
    with body:
        for arrival in inbox.take_all(messages_of(iter(lambda: body.read(_CHUNK), b""), limit), HTTP_LISTEN, peer):
            count += 1
            yield arrival.answer
    yield batch_tail(head, count, None)
