"""A message gateway as an example: what a site's own gateway has to do to pass calls on (short message, WeChat, a voice call).

It takes what :class:`integrations.notify.ways.WebhookNotifier` posts, checks the signature, drops what it has had before, and hands the
text to a function. ``python -m integrations.notify.gateway 127.0.0.1:9000`` prints the notices instead of sending them; the secret is
read from HEALTHSVC_NOTIFY_SECRET.
"""

import hmac
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from healthsvc.config import load
from healthsvc.errors import Malformed
from healthsvc.fhir.json import loads

Send = Callable[[str, str], None]
"""Passes a text on: to whom, and the text. Raises OSError where it cannot; then the sender tries again."""
REMEMBERED: Final = 10_000
LONGEST: Final = 64 << 10


def signed(secret: bytes, body: bytes) -> str:
    """The signature of a body as the header ``X-Signature`` carries it."""
    return "sha256=" + hmac.new(secret, body, sha256).hexdigest()


class Gateway:
    """Listens in a thread of its own; ``port`` 0 takes any that is free."""

    def __init__(self, host: str, port: int, secret: bytes, send: Send) -> None:
        had: OrderedDict[str, None] = OrderedDict()
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.send_response(self._take())
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _take(self) -> int:
                body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), LONGEST))
                if not hmac.compare_digest(self.headers.get("X-Signature", ""), signed(secret, body)):
                    return 401
                try:
                    notice = loads(body)
                    key, to, text = str(notice["key"]), str(notice["to"]), str(notice["text"])
                except (Malformed, KeyError, TypeError):
                    return 400
                with lock:
                    if key in had:
                        return 200
                try:
                    send(to, text)
                except OSError:
                    return 503
                with lock:
                    had[key] = None
                    if len(had) > REMEMBERED:
                        had.popitem(last=False)
                return 200

            def log_message(self, *_: object) -> None:
                """Nothing: a request names a person's telephone."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="gateway", daemon=True)

    @property
    def url(self) -> str:
        """What the setting ``notify_webhook`` is."""
        return f"http://{self._server.server_address[0]!s}:{self._server.server_address[1]}/"

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _show(to: str, text: str) -> None:
    sys.stdout.write(f"{to}\t{text}\n")


def main(listen: str) -> None:
    """Print every notice until interrupted."""
    host, _, port = listen.rpartition(":")
    gateway = Gateway(host, int(port), load().notify_secret.encode(), _show)
    gateway.start()
    try:
        threading.Event().wait()
    finally:
        gateway.stop()


if __name__ == "__main__":
    main(sys.argv[1])
