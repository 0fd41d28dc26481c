"""Where to listen or to connect."""

from dataclasses import dataclass

from healthsvc.errors import Invalid


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    @classmethod
    def of(cls, text: str, what: str) -> "Address":
        """Read ``HOST:PORT``, ``[IPv6]:PORT`` too."""
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65535:
            raise Invalid(f"{what} is HOST:PORT such as 127.0.0.1:8000, not {text!r}")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
