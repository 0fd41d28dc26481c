"""Send the messages of files over MLLP, one after the other, and tell each answer; files are read piece by piece, however long they are."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from healthsvc.errors import Invalid, Refusal, Unavailable
from integrations.hl7v2.batch import messages_of
from integrations.hl7v2.files import LONGEST, sources
from integrations.hl7v2.replies import accept_of, belongs, control_id_of, read_reply
from integrations.mllp.client import Client, NoAnswer

SILENT: Final = "sent"
QUIET_SECONDS: Final = 1.0
"""How long an answer is waited for that was not asked for: listeners in original mode give one whatever MSH-15 says."""
_ASKS_FOR_NONE: Final = {"NE": "NE", "ER": "ER: only on error"}


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
    """MSA-1, or ``none`` where the answer has none; ``sent`` where none was asked for and none came."""
    text: str

    @property
    def refused(self) -> bool:
        """Whether the peer has not taken charge of it."""
        return self.code not in ("AA", "CA") and not self.silent

    @property
    def silent(self) -> bool:
        """Whether it asked for no answer, and has none."""
        return self.code == SILENT

    def as_json(self) -> dict[str, Any]:
        """As the command prints it with ``--json``."""
        return asdict(self)


def send(paths: Iterable[Path], host: str, port: int, seconds: float = 10.0, *, first: int = 1) -> Iterator[Sent]:
    """Send every message of files, folders and archives in order, from the ``first`` on; each waits for its own answer.

    One that asks for none (MSH-15 NE, or ER and all is well) goes on after a moment of silence, and on a line that has once been silent at
    once; an answer that comes to it later is told when it comes.

    Raises:
        Unavailable: a message got no answer, so that those after it are not sent; the text says at which number to go on.
        Invalid: a file cannot be read (the text says what was sent before it), or there are fewer messages than ``first``.
    """
    number = 0
    line = _Line(host, port, seconds)
    with line.client:
        for source in sources(paths):
            index = 0
            try:
                for index, message in enumerate(messages_of(source.pieces(), LONGEST), start=1):
                    number += 1
                    if number >= first:
                        yield from line.send(number, source.name, index, message)
            except NoAnswer as refusal:
                raise _stopped(refusal, number, source.name, index) from None
            except Refusal as refusal:
                raise Invalid(f"{source.name}: {refusal.text}; everything before it was sent, up to message {number}") from None
        yield from line.rest()
    if number < first and number:
        raise Invalid(f"--from {first}: there are only {number} messages; nothing was sent")


class _Line:
    """A line to a peer, and the messages on it that may yet be answered though nobody asked."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self.client = Client(host, port, belongs, seconds=seconds, aside=self._late)
        self._unanswered: dict[str, Sent] = {}
        self._answered: list[Sent] = []
        self._quiet = min(QUIET_SECONDS, seconds)
        self._patience = self._quiet

    def send(self, number: int, file: str, index: int, message: bytes) -> Iterator[Sent]:
        """Send one message; gives what became of it, and of earlier ones that were answered meanwhile."""
        control_id, asks = control_id_of(message), _ASKS_FOR_NONE.get(accept_of(message))
        if asks is None:
            answer = self.client.send(message)
        else:
            answer = self.client.tell(message, self._patience)
            self._patience = self._quiet if answer else 0.0
        yield from self.told()
        sent = Sent(number, file, index, control_id, SILENT, f"no answer was asked for (MSH-15 {asks})")
        if answer:
            yield _as(sent, answer)
            return
        self._unanswered[control_id.strip()] = sent
        yield sent

    def rest(self) -> Iterator[Sent]:
        """What was answered in the end."""
        if self._unanswered and not self._patience:
            time.sleep(self._quiet)
        self.client.look()
        yield from self.told()

    def told(self) -> Iterator[Sent]:
        """Each message that was answered after it had been passed over, once."""
        found, self._answered = self._answered, []
        yield from found

    def _late(self, came: bytes) -> bytes | None:
        sent = self._unanswered.pop(read_reply(came).control_id.strip(), None)
        if sent is None:
            return None
        self._answered.append(_as(sent, came))
        return b""


def _as(sent: Sent, answer: bytes) -> Sent:
    reply = read_reply(answer)
    return replace(sent, code=reply.code or "none", text=reply.text)


def _stopped(refusal: NoAnswer, number: int, file: str, index: int) -> Unavailable:
    told = f"message {number} ({file} #{index}) has no answer: {refusal.text}; nothing after it was sent"
    return Unavailable(
        f"{told}. Go on with --from {number} (what had arrived gets its old answer), or leave it out with --from {number + 1}"
    )
