"""What the text of a setting may be: each check gives the value, or raises ``ValueError``, which says how to write one and repeats none."""

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

PROVINCE: Final = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|91")
"""First two digits of GB/T 2260 division codes in use."""
_JURISDICTION: Final = re.compile(r"CN(-\d{2}(\d{2}){0,2})?")
_DATABASE: Final = re.compile(r"(sqlite|postgres|postgresql)(\+[a-z0-9]+)?://")
_HOST: Final = re.compile(r"[\w-]+(\.[\w-]+)*\.?", re.ASCII)
_NUMBERS: Final = re.compile(r"[\d.]+|.*:.*")
_MAIL: Final = re.compile(r"[^@\s<>,;]+@[\w-]+(\.[\w-]+)*")
_CODE: Final = re.compile(r"[A-Za-z0-9]+([.-][A-Za-z0-9]+)*")
_PORTS: Final = range(1, 1 << 16)
_UNQUERIED: Final = "write the address alone, without user, ? or #"


def bare(told: Any) -> Any:
    """A value without blanks and line ends around it: they come of a file of variables that was saved on Windows, or of a paste."""
    return told.strip() if isinstance(told, str) else told


def how_many(value: object) -> object:
    """A whole number; true and false, as older settings have them, are one and none."""
    return {"true": "1", "false": "0"}.get(value.lower(), value) if isinstance(value, str) else value


def web_address(url: str) -> str:
    """An http or https address with a host; empty where none is set."""
    if url:
        _parts(url)
    return url


def public_address(url: str) -> str:
    """The address of this server, to which /fhir is added."""
    return _without(url, "/fhir")


def collector_address(url: str) -> str:
    """The address of a collector, to which /v1/traces is added."""
    return _without(url, "/v1/traces")


def own_service(url: str | None) -> str | None:
    """An http address of this machine: homes of people do not leave it."""
    if url is not None:
        parts = _parts(url)
        if parts.scheme != "http" or not is_here(parts.hostname or ""):
            raise ValueError("write an http:// address on this machine (127.0.0.1, ::1 or localhost): homes stay here")
    return url


def is_here(host: str) -> bool:
    """Whether a host is this very machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def mail_server(text: str) -> str:
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    if text and not (_is_host(host) and port.isascii() and port.isdigit() and int(port) in _PORTS):
        raise ValueError("write HOST:PORT such as mail.example.cn:25")
    return text


def mail_address(text: str) -> str:
    """One mail address, nothing around it."""
    if text and not _MAIL.fullmatch(text):
        raise ValueError("write one mail address such as alarm@centre.example.cn")
    return text


def domain(text: str) -> str:
    """What stands after the @ of a mail address."""
    if text and not _is_host(text):
        raise ValueError("write a domain such as sms.example.cn, without @")
    return text


def jurisdiction(text: str) -> str:
    """CN, a province, a city or a county by GB/T 2260."""
    if not _JURISDICTION.fullmatch(text) or (text != "CN" and not PROVINCE.fullmatch(text[3:5])):
        raise ValueError("write CN, or CN- and two, four or six digits of GB/T 2260 such as CN-33, CN-3302, CN-330200")
    return text


def database_url(url: str | None) -> str | None:
    """A SQLAlchemy url of one of the two engines, as far as its form tells."""
    if url is not None and not _DATABASE.match(url):
        raise ValueError("write a SQLAlchemy url such as postgresql+psycopg://USER:PASSWORD@HOST/NAME (or sqlite:///FILE)")
    return url


def code(text: str) -> str:
    """A code of a code system."""
    if not _CODE.fullmatch(text):
        raise ValueError("write a code such as county")
    return text


def peers(text: str) -> str:
    """Addresses and networks with commas."""
    networks(text)
    return text


def networks(text: str) -> list[IPv4Network | IPv6Network]:
    """The networks of a list with commas; a single address is a network of one."""
    try:
        return [ip_network(one.strip(), strict=False) for one in text.split(",") if one.strip()]
    except ValueError:
        raise ValueError("write addresses and networks with commas such as 10.1.9.0/24, 10.2.0.7") from None


def public_key(text: str) -> str:
    """A public key of age."""
    if text:
        import pyrage

        try:
            pyrage.x25519.Recipient.from_str(text.strip())
        except pyrage.RecipientError:
            raise ValueError(
                "write a public key of age (age1...), the second line that `age-keygen` prints; never the secret one"
            ) from None
    return text


def named(path: object) -> object:
    """Anything but an empty text, which would be the folder of the moment."""
    if path == "":
        raise ValueError("write a path, or leave the setting out")
    return path


def file(path: Path | None) -> Path | None:
    """A file that is there."""
    if path is not None and not os.path.isfile(path):
        raise ValueError("there is no such file, or this user may not look into its folder")
    return path


def new_file(path: Path | None) -> Path | None:
    """A file that is there or will be."""
    if path is not None and os.path.isdir(path):
        raise ValueError("this is a folder; write the name of a file")
    return path


def folder(path: Path | None) -> Path | None:
    """A folder that is there or will be."""
    if path is not None and os.path.exists(path) and not os.path.isdir(path):
        raise ValueError("this is no folder")
    return path


def inside(one: Path, other: Path) -> bool:
    """Whether one of two folders is the other or lies in it."""
    a, b = one.resolve(), other.resolve()
    return a == b or b in a.parents or a in b.parents


def _without(url: str, added: str) -> str:
    """A web address to which a path is added later; empty where none is set."""
    if url:
        parts = _parts(url)
        if parts.query or parts.username is not None:
            raise ValueError(_UNQUERIED)
        if parts.path.rstrip("/").endswith(added):
            raise ValueError(f"write it without {added}, which is added")
    return url


def _is_host(host: str) -> bool:
    """A name, or an address by numbers as far as it is one."""
    if not _NUMBERS.fullmatch(host):
        return _HOST.fullmatch(host) is not None
    try:
        return "%" not in str(ip_address(host))
    except ValueError:
        return False


def _parts(url: str) -> SplitResult:
    """The parts of an http or https address.

    Raises:
        ValueError: it is none.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        good = parts.scheme in ("http", "https") and (parts.port is None or parts.port in _PORTS) and not parts.fragment
        good = good and _is_host(host) and re.search(r"[\s\x00-\x1f]", url) is None
    except ValueError:
        good = False
    if not good:
        raise ValueError("write a web address such as https://HOST or http://HOST:PORT")
    return parts
