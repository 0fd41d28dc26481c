"""Send the messages of files over MLLP, one after the other, and tell each answer; files are read piece by piece, however long they are."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from healthsvc.errors import Invalid, Refusal, Unavailable
from integrations.hl7v2.batch import messages_of
from integrations.hl7v2.files import LONGEST, sources
from integrations.hl7v2.replies import belongs, control_id_of, read_reply
from integrations.mllp.client import Client, NoAnswer


@dataclass(frozen=True, slots=True)
class Sent:
    """One message and what the peer said."""

    number: int
    """Its place among all messages of all files, from 1: where a sending that has stopped goes on."""
    file: str
    index: int
    """Its place in the file, from 1."""
    control_id: str
    code: str
    """MSA-1, or ``none`` where the answer has none."""
    text: str

    def as_json(self) -> dict[str, Any]:
        """As the command prints it with ``--json``."""
        return asdict(self)


def send(paths: Iterable[Path], host: str, port: int, seconds: float = 10.0, *, first: int = 1) -> Iterator[Sent]:
    """Send every message of files, folders and archives in order, from the ``first`` on; each waits for its own answer.

    Raises:
        Unavailable: a message got no answer, so that those after it are not sent; the text says at which number to go on.
        Invalid: a file cannot be read (the text says what was sent before it), or there are fewer messages than ``first``.
    """
    number = 0
    with Client(host, port, belongs, seconds=seconds) as client:
        for source in sources(paths):
            index = 0
            try:
                for index, message in enumerate(messages_of(source.pieces(), LONGEST), start=1):
                    number += 1
                    if number >= first:
                        yield _send(client, number, source.name, index, message)
            except NoAnswer as refusal:
                raise _stopped(refusal, number, source.name, index) from None
            except Refusal as refusal:
                raise Invalid(f"{source.name}: {refusal.text}; everything before it was sent, up to message {number}") from None
    if number < first and number:
        raise Invalid(f"--from {first}: there are only {number} messages; nothing was sent")


def _send(client: Client, number: int, file: str, index: int, message: bytes) -> Sent:
    reply = read_reply(client.send(message))
    return Sent(number, file, index, control_id_of(message), reply.code or "none", reply.text)


def _stopped(refusal: NoAnswer, number: int, file: str, index: int) -> Unavailable:
    told = f"message {number} ({file} #{index}) has no answer: {refusal.text}; nothing after it was sent"
    return Unavailable(
        f"{told}. Go on with --from {number} (what had arrived gets its old answer), or leave it out with --from {number + 1}"
    )
