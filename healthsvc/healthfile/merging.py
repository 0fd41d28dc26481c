"""档案合并与撤销合并: two files of one person become one, and two again where that was a mistake."""

from dataclasses import dataclass
from typing import Final

from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.healthfile.resources import links, to_person
from healthsvc.healthfile.service import follow
from healthsvc.healthfile.undo import PutBack, put_back, version_before
from healthsvc.store import Store
from healthsvc.store.stored import Stored

_LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"


@dataclass(frozen=True, slots=True)
class Unmerged:
    """A merge that has been undone: the file in force again, and what went back to it."""

    patient: Resource
    back: PutBack


def merge(store: Store, survivor: str, retired: str, *, by: str = "", reason: str = "") -> Resource:
    """Join two files of one person: ``retired`` is replaced by ``survivor``. Twice changes nothing, and :func:`unmerge` undoes it.

    What is recorded stays where it is: whoever reads the survivor's timeline sees both. Open contracts and visits of the retired file
    are settled by the contract room when it admits the change.

    Args:
        store: an open writing transaction.
        survivor: Patient id of the file that stays in force.
        retired: Patient id of the file that is replaced.
        by: who decides, by name; needed where the two files carry different valid citizen ids.
        reason: why, in words; needed in the same case. Both go into a Provenance.

    Returns:
        The survivor.

    Raises:
        RuleViolation: ``patient-merge-self``, ``patient-merged-elsewhere``, or ``patient-merge-citizen-ids``: two valid citizen ids are
            two people until a named person says why they are one.
    """
    kept, gone = follow(store, survivor), store.read("Patient", retired)
    if links(gone, "replaced-by"):
        if follow(store, retired)["id"] == kept["id"]:
            return kept
        raise RuleViolation("this file has already been merged into another; undo that merge first", reason="patient-merged-elsewhere")
    if kept["id"] == gone["id"]:
        raise RuleViolation("a file cannot be merged into itself", reason="patient-merge-self")
    if by.strip() and reason.strip():
        store.claim(leave_key(retired), f"Patient/{kept['id']}")
    replaces = {"other": {"reference": f"Patient/{gone['id']}"}, "type": "replaces"}
    replaced_by = {"other": {"reference": f"Patient/{kept['id']}"}, "type": "replaced-by"}
    store.put(gone | {"active": False, "link": [*gone.get("link", []), replaced_by]})
    doctor = kept.get("generalPractitioner") or gone.get("generalPractitioner")
    named = {"generalPractitioner": doctor} if doctor else {}
    store.put(kept | named | {"link": [*kept.get("link", []), replaces]})
    store.put(_provenance(store, "merge", kept["id"], gone["id"], by, reason))
    return store.read("Patient", kept["id"])


def unmerge(store: Store, retired: str, *, by: str = "", reason: str = "") -> Unmerged:
    """Undo a merge: both files are in force again, and the contract and visits that had gone over go back.

    What has been changed since (a visit that was made meanwhile) stays with the survivor and is named in ``back.left``; so is a course of
    infusions that the merge has stopped, with its doses: it is ordered anew. A file that is in force changes nothing.
    """
    gone = store.read("Patient", retired)
    survivors = links(gone, "replaced-by")
    step = _merge_step(store, retired)
    if not survivors or step is None:
        return Unmerged(gone, PutBack())
    earlier = store.version("Patient", retired, step.version - 1)
    before = earlier.resource if earlier is not None else {"active": True}
    for survivor in survivors:
        _part(store, survivor, gone, step)
    for survivor in survivors:
        store.release(leave_key(retired), f"Patient/{survivor}")
    alone = _without_link(gone, "replaced-by", survivors)
    alone.pop("active", None)
    again = store.put(alone | ({"active": before["active"]} if "active" in before else {}))
    back = put_back(store, [retired, *survivors], step.updated, _never_again(store, [retired, *survivors]))
    for survivor in survivors:
        store.put(_provenance(store, "unmerge", survivor, retired, by, reason))
    return Unmerged(again, back)


def is_parted(store: Store, one: str, other: str) -> bool:
    """Whether somebody has undone a merge of these two files, and they have not been joined again since."""
    pair = {f"Patient/{one}", f"Patient/{other}"}
    if one == other or follow(store, one)["id"] == follow(store, other)["id"]:
        return False
    undone = (store.find("Provenance", f"unmerge-{retired}"[:64]) for retired in (one, other))
    return any(known is not None and pair <= {target.get("reference") for target in known["target"]} for known in undone)


def leave_key(retired: str) -> str:
    """What the survivor holds where a named person has said why two files with different citizen ids are one person's."""
    return f"merge-leave:{retired}"


def check_citizen_ids(store: Store, gone: Resource, kept: Resource) -> None:
    """Refuse to join files that carry different valid citizen ids, unless a named person has said why."""
    one, other = ({number.value for number in to_person(file).identifiers if number.system == CITIZEN_ID} for file in (gone, kept))
    if not one or not other or one & other or store.holder(leave_key(gone["id"])) == f"Patient/{kept['id']}":
        return
    raise RuleViolation(
        "the two files carry different valid citizen ids, hence two people; if they are one, name who says so and why",
        reason="patient-merge-citizen-ids",
        path="Patient.link",
    )


def _merge_step(store: Store, retired: str) -> Stored | None:
    """The version with which the file was last retired."""
    step = None
    for version in store.history("Patient", retired):
        if version.deleted or not links(version.resource, "replaced-by"):
            break
        step = version
    return step


def _never_again(store: Store, files: list[str]) -> set[str]:
    """Drugs that were stopped, and the visits at which they were to be given."""
    over = [one for file in files for one in store.select("MedicationRequest", patient=file, status=["stopped", "cancelled"])]
    drugs = {f"MedicationRequest/{one['id']}" for one in over}
    called_off = [one for file in files for one in store.select("Task", patient=file, status="cancelled")]
    return drugs | {f"Task/{one['id']}" for one in called_off if drugs & {ref.get("reference") for ref in one.get("basedOn", ())}}


def _part(store: Store, survivor: str, gone: Resource, step: Stored) -> None:
    """Take the retired file out of the survivor, and the doctor whom only the retired one had."""
    file = store.find("Patient", survivor)
    if file is None:
        return
    before = version_before(store, "Patient", survivor, step.updated) or file
    alone = _without_link(file, "replaces", [gone["id"]])
    lent = not before.get("generalPractitioner") and file.get("generalPractitioner") == gone.get("generalPractitioner")
    if lent:
        alone.pop("generalPractitioner", None)
    store.put(alone)


def _without_link(file: Resource, kind: str, others: list[str]) -> Resource:
    targets = {f"Patient/{other}" for other in others}
    kept = [one for one in file.get("link", []) if one.get("type") != kind or one.get("other", {}).get("reference") not in targets]
    bare = {key: value for key, value in file.items() if key != "link"}
    return bare | ({"link": kept} if kept else {})


def _provenance(store: Store, act: str, survivor: str, retired: str, by: str, reason: str) -> Resource:
    """Who joined or parted two files, when and why."""
    who = by.strip() or store.actor.name or store.actor.id
    made: Resource = {
        "resourceType": "Provenance",
        "id": f"{act}-{retired}"[:64],
        "target": [{"reference": f"Patient/{survivor}"}, {"reference": f"Patient/{retired}"}],
        "recorded": store.at.isoformat(),
        "activity": {"coding": [{"system": _LIFECYCLE, "code": act}]},
        "agent": [{"who": {"display": who}}],
    }
    return made | ({"reason": [{"text": reason.strip()}]} if reason.strip() else {})
