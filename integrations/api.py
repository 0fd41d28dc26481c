"""The API and the pages of one process: uvicorn in a thread of its own."""

import socket
import ssl
import threading
from errno import EACCES
from typing import Any, Final

import uvicorn

from healthsvc.errors import Unavailable
from integrations.address import Address
from integrations.https import Protocol

LOW_PORT: Final = "a port below 1024 wants CAP_NET_BIND_SERVICE, which `healthsvc deploy systemd` with that address gives the unit"
PROBES_SECONDS: Final = 2.0
"""What open questions of a monitor get at a stop."""


class Api:
    """One listening address; open requests get ``grace`` seconds at a stop."""

    def __init__(self, app: Any, address: Address, context: ssl.SSLContext | None = None, grace: float = PROBES_SECONDS) -> None:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((address.host, address.port))
        except OSError as error:
            self._socket.close()
            low = f"; {LOW_PORT}" if error.errno == EACCES else ""
            raise Unavailable(f"cannot listen on {address}: {error.strerror}{low}; choose another HOST:PORT, or stop who has it") from None
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=max(1, round(grace)),
            proxy_headers=False,
            server_header=False,
            lifespan="on",
            http=Protocol,
            ssl_context_factory=None if context is None else (lambda *_: context),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="api")

    def start(self) -> int:
        """Serve; gives the port once it answers."""
        self._thread.start()
        waiting = threading.Event()
        while not self._server.started:
            if not self._thread.is_alive():
                raise Unavailable("the API did not start; the log says why")
            waiting.wait(0.01)
        return int(self._socket.getsockname()[1])

    def leave(self) -> None:
        """Answer everybody, and say with each answer that this connection ends, so that a client opens its next one elsewhere."""
        self._server.config.encoded_headers.append((b"connection", b"close"))

    def stop(self) -> None:
        """Answer what is under way, then end."""
        self._server.should_exit = True
        self._thread.join()
