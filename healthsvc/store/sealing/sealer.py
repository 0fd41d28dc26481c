"""What the store seals and opens on its way to and from the tables, and under which hash it looks numbers up.

A sealed value begins with a byte with which no JSON and no HL7 message begins, so that a database may hold both kinds while it is being
sealed. Its place (table, type, id, version) is bound to it. The newest key of the folder closes; a key that another process has added is
found when a transaction begins to write, or when a value asks for it.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import Final

from healthsvc.errors import Unavailable
from healthsvc.fhir.index import Entries, TokenEntry
from healthsvc.fhir.json import Resource
from healthsvc.store.sealing import personal
from healthsvc.store.sealing.keys import KID_BYTES, Seal

MARK: Final = b"\x01"
TAIL: Final = "#tail"
"""Pseudo parameter under which a person's numbers are found by their last digits."""
TAIL_LENGTHS: Final = (4, 8)
"""A longer ending is looked for by its last eight characters, a shorter one by its last four; fewer would list half the town."""
_HASH_BYTES: Final = 16
LONGEST: Final = 500
"""Characters of a code that the index keeps; a longer one is cut before it is hashed, in the index and in a search alike."""
_HIDDEN: Final = re.compile(r"~[A-Za-z0-9_-]{22}")
_NUMBER_CLAIMS: Final = "identifier:"


class Sealer:
    """The sealing of one database; without keys (a database of a test, a tool) everything stays as it is."""

    def __init__(self, folder: Path | None = None, lookup: bytes = b"", *, everything: bool = False) -> None:
        self.folder = folder
        self._lookup = lookup
        self.everything = everything
        self._seal = Seal.there(folder) if folder is not None else None

    @property
    def kid(self) -> bytes:
        """The key that closes now; empty where nothing is sealed."""
        return b"" if self._seal is None else self._seal.newest

    @property
    def kids(self) -> frozenset[bytes]:
        """The keys that are there."""
        return frozenset() if self._seal is None else self._seal.kids

    def refresh(self) -> None:
        """Take notice of keys that were added. A folder that cannot be read just now changes nothing: an alarm must not wait for it."""
        if self.folder is not None:
            with suppress(Unavailable):
                self._seal = Seal.there(self.folder)

    def derived(self, purpose: str) -> bytes:
        """A key of another purpose, made from the look-up key."""
        return hashlib.blake2b(purpose.encode(), key=self._lookup, digest_size=32).digest()

    # -- values -----------------------------------------------------------------------------------------------------------------

    def close(self, plain: bytes, what: str) -> bytes:
        """A value as it goes into a column."""
        return plain if self._seal is None or not plain else self._seal.close(plain, what, MARK)

    def open(self, kept: bytes, what: str) -> bytes:
        """A value as it was before; one that was never sealed is itself.

        Raises:
            Unavailable: its key is lost, or it was changed or moved.
        """
        if kept[:1] != MARK:
            return kept
        if kept[1 : 1 + KID_BYTES] not in self.kids:
            self.refresh()
        if self._seal is None:
            raise Unavailable("this database is sealed and no keys were given: name their folder in HEALTHSVC_SEALING_KEYS")
        return self._seal.open(kept[1:], what)

    def close_body(self, type: str, id: str, version: int, body: bytes) -> bytes:
        """The body of a resource as it goes into its table: sealed where its type says who people are, or a number stands in it."""
        return self.close(body, place(type, id, version)) if self.must(type, body) else body

    def open_body(self, type: str, id: str, version: int, kept: bytes) -> bytes:
        """The body of a resource as it was written."""
        return kept if kept[:1] != MARK else self.open(kept, place(type, id, version))

    def must(self, type: str, body: bytes) -> bool:
        """Whether the body of a resource has to be sealed."""
        return self._seal is not None and (self.everything or type in personal.TYPES or personal.carries_number(body))

    # -- look-up ----------------------------------------------------------------------------------------------------------------

    def hidden(self, text: str) -> str:
        """The keyed hash under which a number is kept: equal numbers are found, none is told."""
        digest = hashlib.blake2b(text[:LONGEST].encode(), key=self._lookup, digest_size=_HASH_BYTES).digest()
        return "~" + urlsafe_b64encode(digest).rstrip(b"=").decode()

    def code(self, param: str, system: str | None, code: str) -> str:
        """A token as the index keeps it."""
        return self.hidden(code) if self._lookup and personal.is_personal(param, system, code) and not is_hidden(code) else code

    def codes(self, param: str, system: str | None, code: str) -> list[str]:
        """The forms under which a searched token may be in the index; a search that names no system may mean either."""
        if not self._lookup:
            return [code]
        if personal.is_personal(param, system, code):
            return [self.hidden(code)]
        return [code, self.hidden(code)] if system is None and personal.holds_numbers(param) else [code]

    def tail(self, digits: str) -> str | None:
        """The hash under which numbers that end so are found; None: too few digits to look for."""
        length = max((one for one in TAIL_LENGTHS if one <= len(digits)), default=0)
        return self._tail(digits[-length:].upper()) if length else None

    def tails(self, code: str) -> list[str]:
        """The hashes under which a number is found by its last digits."""
        return [self._tail(code[-length:].upper()) for length in TAIL_LENGTHS if length <= len(code)]

    def _tail(self, ending: str) -> str:
        return self.hidden(f"tail:{ending}") if self._lookup else ending

    def blind(self, resource: Resource, entries: Entries) -> Entries:
        """Index entries as they are written: numbers of persons hashed, and of Patients the tails of their numbers added."""
        tails: set[str] = set()
        if resource.get("resourceType") == "Patient":
            tails = {tail for token in entries.tokens if token.param in ("identifier", "phone") for tail in self.tails(token.code)}
        for number, token in enumerate(entries.tokens):
            # nearly all codes are short and of parameters that hold no numbers: they cost one comparison
            if len(token.code) < personal.SHORTEST and not personal.holds_numbers(token.param):
                continue
            code = self.code(token.param, token.system, token.code)
            if code is not token.code:
                entries.tokens[number] = token._replace(code=code)
        entries.tokens += [TokenEntry(TAIL, None, tail) for tail in sorted(tails)]
        return entries

    def claim(self, key: str) -> str:
        """A claim as the table keeps it: one of a number cannot be guessed from it."""
        head, _, rest = key.partition(":")
        return f"{head}:{self.hidden(rest)}" if self._lookup and key.startswith(_NUMBER_CLAIMS) and not is_hidden(rest) else key


def is_hidden(code: str) -> bool:
    """Whether a text is a look-up hash."""
    return code[:1] == "~" and _HIDDEN.fullmatch(code) is not None


def place(type: str, id: str, version: int) -> str:
    """What is bound to the body of a version."""
    return f"resource/{type}/{id}/{version}"


OPEN: Final = Sealer()
"""Seals nothing."""
