"""HL7 over HTTP: POST a message or a whole FHS/BHS batch, get the answer that MLLP would have given.

``POST /hl7`` with a bearer token of role ``system``; the body is ER7 in any character set. 200 with AA or CA, 422 with AE, AR, CE or CR,
503 where it could not be stored (send it again), 204 where the sender wants no answer. A batch is read piece by piece and answered alike.
"""

import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from healthsvc.access.door import needs
from healthsvc.errors import Malformed, TooLarge
from integrations.hl7v2.batch import batch_head, batch_tail, is_batch, messages_of
from integrations.hl7v2.replies import read_reply
from integrations.hospitals.profile import HTTP_LISTEN
from integrations.inbox import Inbox

MEDIA_TYPE = "x-application/hl7-v2+er7"
_SPOOL = 1 << 20
_CHUNK = 1 << 20


def router(inbox: Inbox, limit: int, message_limit: int) -> APIRouter:
    """The address; ``limit`` is the largest body, ``message_limit`` the largest message in it, bytes."""
    made = APIRouter(include_in_schema=False)

    @made.post("/hl7", dependencies=[needs("feed")])
    async def take(request: Request) -> Response:
        """Take a message or a batch in and answer it once it is on disk."""
        peer = request.client.host if request.client else ""
        body: BinaryIO = tempfile.SpooledTemporaryFile(_SPOOL)  # type: ignore[assignment]  # noqa: SIM115 - closed by whoever reads it
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                body.close()
                raise TooLarge(f"the body is longer than {limit} bytes; send smaller batches")
            body.write(chunk)
        body.seek(0)
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
        return Response(answer, status_code=_status(answer), media_type=MEDIA_TYPE)

    return made


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
    yield batch_tail(head, count)
