"""A hospital's listener, for the tests of what we send: notes what it gets, answers as told."""

import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress

from integrations.hl7v2.replies import control_id_of
from integrations.mllp.framing import Frame, FrameReader, wrap

Answer = Callable[[str, int], str | None]
"""From the control id and how often it has come: the code (and another MSA-2), empty to say nothing, or None to hang up."""


class Peer:
    """A hospital's listener: notes what it gets, answers as told."""

    def __init__(self, answer: Answer, kind: str = "ACK", more: str = "") -> None:
        self._kind, self._more = kind, more
        self.got: list[str] = []
        self.raw: list[bytes] = []
        self.lines = 0
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            self.lines += 1
            with closing(line), suppress(ConnectionResetError):  # who called may be killed in the midst of it
                self._talk(line)

    def _talk(self, line: socket.socket) -> None:
        reader = FrameReader()
        while received := line.recv(65536):
            for frame in reader.feed(received):
                assert isinstance(frame, Frame)
                control_id = control_id_of(frame.content)
                self.got.append(control_id)
                self.raw.append(frame.content)
                told = self._answer(control_id, self.got.count(control_id))
                if told is None:
                    return
                if not told:
                    continue
                code, _, other = told.partition(" ")
                line.sendall(wrap(f"MSH|^~\\&|||||||{self._kind}|9|P|2.4\rMSA|{code}|{other or control_id}\r{self._more}".encode()))
