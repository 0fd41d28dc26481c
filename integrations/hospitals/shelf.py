"""The link profiles in force: those that ship with the product (examples, and the default) and those of the site."""

from collections.abc import Iterable
from pathlib import Path

from healthsvc.errors import Invalid, NotFound
from integrations.acquaintance import Acquaintances
from integrations.hl7v2.header import Header
from integrations.hospitals.profile import DEFAULT, HTTP_LISTEN, Profile, folder_listen, is_loopback
from integrations.hospitals.reader import SHIPPED, read, shipped

REMEMBERED = 1024
"""Senders whose profile is remembered; a sender that invents names only makes us forget."""


class Edition:
    """Profiles that are in force together, and what is remembered of the senders that they know."""

    def __init__(self, site: Iterable[Profile], default: Profile | None) -> None:
        self.site = tuple(site)
        self.default = default
        self.acquaintances = Acquaintances()
        self._chosen: dict[tuple[str, ...], Profile | None] = {}

    def choose(self, header: Header, listen: str, peer: str) -> Profile | None:
        """The profile that fits a message most closely."""
        stated = (*header.sender, *header.receiver, header.cut.component, listen, peer)
        if stated in self._chosen:
            return self._chosen[stated]
        if len(self._chosen) >= REMEMBERED:
            self._chosen.clear()
        chosen = self._chosen[stated] = self._choose(header, listen, peer)
        return chosen

    def _choose(self, header: Header, listen: str, peer: str) -> Profile | None:
        own = next((profile for profile in self.site if listen == folder_listen(profile.name)), None)
        if own is not None:
            return own
        fitting = [(score, profile) for profile in self.site if (score := profile.fits(header, listen, peer)) is not None]
        if fitting:
            return max(fitting, key=lambda pair: (pair[0], pair[1].name))[1]
        return self.default if self.default is not None and (is_loopback(listen) or listen == HTTP_LISTEN) else None


class Shelf:
    """The profiles in force: the site's own, and the built-in default for loopback.

    It stays the same for a whole process, and others may be put on it while messages come: each message is read by one edition of them.
    """

    def __init__(self, site: Iterable[Profile], default: Profile | None) -> None:
        self.edition = Edition(site, default)

    @property
    def site(self) -> tuple[Profile, ...]:
        """The site's own profiles."""
        return self.edition.site

    @property
    def default(self) -> Profile | None:
        """The profile for senders on loopback that none of the site's fits."""
        return self.edition.default

    @property
    def acquaintances(self) -> Acquaintances:
        """The senders that are known already."""
        return self.edition.acquaintances

    @property
    def all(self) -> tuple[Profile, ...]:
        """The site's own, and the default."""
        edition = self.edition
        return edition.site if edition.default is None else (*edition.site, edition.default)

    def put_in_force(self, other: "Shelf") -> None:
        """Let the profiles of another shelf hold here from now on; whoever has begun to read a message ends by the old ones."""
        self.edition = other.edition

    def choose(self, header: Header, listen: str, peer: str = "") -> Profile | None:
        """The profile that fits a message most closely; None where nobody knows its sender on this address."""
        return self.edition.choose(header, listen, peer)

    def check_listening(self, address: str) -> None:
        """Refuse to listen where nobody is known.

        Raises:
            Invalid: the address can be reached from outside and no named profile allows it.
        """
        if not is_loopback(address) and not any(profile.listens_on(address) for profile in self.site):
            raise Invalid(
                f"no link profile allows listening on {address}; put one into DATA/hospitals/ with match.listen = [{address!r}], "
                "or listen on 127.0.0.1"
            )


def load(name_or_path: str) -> Profile:
    """Read one profile, by the name of a shipped one or by path.

    Raises:
        NotFound: neither is there. Invalid: the file is wrong; the text says where.
    """
    path = Path(name_or_path)
    if not path.suffix:
        path = SHIPPED / f"{name_or_path}.toml"
    if not path.is_file():
        raise NotFound(f"there is no link profile {name_or_path!r}; shipped are {', '.join(shipped())}, or give the path of a .toml file")
    return read(path)


def shelf(site: Path | None = None) -> Shelf:
    """The profiles in force for a data directory: every file in its ``hospitals`` folder, and the built-in default."""
    paths = sorted(site.glob("*.toml")) if site is not None and site.is_dir() else []
    profiles = [read(path) for path in paths]
    names = [profile.name for profile in profiles]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Invalid(f"two link profiles are called {twice[0]!r}; rename one of the files in {site and site.name}/")
    own_default = next((profile for profile in profiles if profile.name == DEFAULT), None)
    return Shelf([profile for profile in profiles if profile is not own_default], own_default or load(DEFAULT))
