"""Where to listen or to connect."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from healthsvc.config_values import networks
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


def allowed_peers(text: str) -> Callable[[str], bool] | None:
    """Whether an address may connect, by a list of addresses and networks with commas; None where the list is empty.

    Raises:
        Invalid: an entry is neither.
    """
    try:
        known = networks(text)
    except ValueError as error:
        raise Invalid(f"mllp_peers: {error}", reason="setting") from None
    if not known:
        return None

    def allowed(peer: str) -> bool:
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in known)

    return allowed
