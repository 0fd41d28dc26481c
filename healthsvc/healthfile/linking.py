"""关联档案: a hospital says that two files are one person's and keeps both; here too they stay apart, and somebody decides."""

from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.healthfile.resources import links
from healthsvc.store import Store

SEE_ALSO: Final = "seealso"
"""R4 link-type: the other file is about the same person and stays in use."""


def link(store: Store, one: str, other: str) -> list[Resource]:
    """Let two files point at each other; gives those that changed. Twice changes nothing."""
    return [made for here, there in ((one, other), (other, one)) if (made := _point(store, here, there)) is not None]


def unlink(store: Store, one: str, other: str) -> list[Resource]:
    """Take that back; gives the files that changed."""
    return [made for here, there in ((one, other), (other, one)) if (made := _forget(store, here, there)) is not None]


def _point(store: Store, here: str, there: str) -> Resource | None:
    file = store.read("Patient", here)
    if there in links(file, SEE_ALSO):
        return None
    entry = {"other": {"reference": f"Patient/{there}"}, "type": SEE_ALSO}
    return store.put(file | {"link": [*file.get("link", ()), entry]})


def _forget(store: Store, here: str, there: str) -> Resource | None:
    file = store.read("Patient", here)
    if there not in links(file, SEE_ALSO):
        return None
    kept = [one for one in file["link"] if one.get("type") != SEE_ALSO or one.get("other", {}).get("reference") != f"Patient/{there}"]
    bare = {key: value for key, value in file.items() if key != "link"}
    return store.put(bare | ({"link": kept} if kept else {}))
