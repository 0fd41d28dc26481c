"""What a resource was indexed by when it was last written: an update compares with that, instead of extracting the former version anew.

It depends on the content alone, which is known by its hash, so what another transaction undid or another process wrote does no harm.
"""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from healthsvc.fhir.index import Entries
from healthsvc.fhir.json import Resource
from healthsvc.store.stored import Stored, bare_of

MOST = 2048
"""Resources whose entries are kept: those that are being worked on. An Encounter's take 4 kB."""


class Indexed:
    """Index entries by the hash of a resource's content, of one database."""

    def __init__(self, extract: Callable[[Resource], Entries]) -> None:
        self._extract = extract
        self._kept: OrderedDict[bytes, Entries] = OrderedDict()

    def entries(self, bare: Resource, digest: bytes, old: Stored | None, old_digest: bytes | None) -> tuple[Entries, Entries | None]:
        """The entries of a resource as it is to be written, and those of the version before it (None: there is none)."""
        made = self._extract(bare)
        before = None
        if old is not None and not old.deleted:
            before = self._kept.pop(old_digest or b"", None) or self._extract(bare_of(old.resource))
        self._kept[digest] = made
        while len(self._kept) > MOST:
            with suppress(KeyError):  # another thread was quicker
                self._kept.popitem(last=False)
        return made, before
