"""Send the messages of files over MLLP, one after the other, and tell each answer."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from integrations.hl7v2.batch import split
from integrations.hl7v2.replies import belongs, control_id_of, read_reply
from integrations.mllp.client import Client, NoAnswer


@dataclass(frozen=True, slots=True)
class Sent:
    """One message and what the peer said."""

    file: str
    index: int
    """Its place in the file, from 1."""
    control_id: str
    code: str
    """MSA-1, or ``none`` where no answer came that belongs to it."""
    text: str

    def as_json(self) -> dict[str, Any]:
        """As the command prints it with ``--json``."""
        return asdict(self)


def send(files: Iterable[Path], host: str, port: int, seconds: float = 10.0) -> Iterator[Sent]:
    """Send every message of every file in order; a message without an answer does not stop the next."""
    with Client(host, port, belongs, seconds=seconds) as client:
        for file in files:
            for index, message in enumerate(split(file.read_bytes()).messages, start=1):
                yield _send(client, file.name, index, message)


def _send(client: Client, file: str, index: int, message: bytes) -> Sent:
    control_id = control_id_of(message)
    try:
        reply = read_reply(client.send(message))
    except NoAnswer as refusal:
        return Sent(file, index, control_id, "none", refusal.text)
    return Sent(file, index, control_id, reply.code or "none", reply.text)
