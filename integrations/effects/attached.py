"""A file that came inside a message: a Binary that only those may read who may read the person, and the Attachment that leads to it."""

from base64 import b64encode
from collections.abc import Mapping, Sequence

from healthsvc.fhir.elements import reference
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from integrations.hl7v2.encapsulated import Content

_OF_RESULT = "-form"


def attached(store: Store, id: str, content: Content, patient: str) -> tuple[Resource, Resource]:
    """Keep a file under this id; gives the Binary and the Attachment."""
    binary: Resource = {
        "resourceType": "Binary",
        "id": id,
        "contentType": content.kind,
        "securityContext": reference("Patient", patient),
        "data": b64encode(content.data).decode(),
    }
    attachment: Resource = {"contentType": content.kind, "url": f"Binary/{id}", "size": len(content.data)}
    return store.put(binary), attachment | ({"title": content.title} if content.title else {})


def presented(
    store: Store, known: Resource | None, told: Mapping[str, Content], standing: Sequence[str], patient: str
) -> tuple[list[Resource], list[Resource]]:
    """The files of a report (``presentedForm``): those told now, and those on file whose result still stands.

    Args:
        store: an open writing transaction.
        known: the report on file.
        told: the files of this message, by the id of their result.
        standing: ids of the results that the report holds and nobody has withdrawn.
        patient: Patient id.

    Returns:
        The Binaries written, and the Attachments in the order of the results.
    """
    held = {str(one.get("url", "")): one for one in (known or {}).get("presentedForm", ())}
    written: list[Resource] = []
    for result, content in told.items():
        binary, attachment = attached(store, f"{result}{_OF_RESULT}", content, patient)
        written.append(binary)
        held[attachment["url"]] = attachment
    own = {f"Binary/{result}{_OF_RESULT}": None for result in standing}
    others = [one for url, one in held.items() if not url.endswith(_OF_RESULT)]
    return written, [*others, *(held[url] for url in own if url in held)]
