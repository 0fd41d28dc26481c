"""Two records of a hospital are one person's (A24), or are not after all (A37): the files point at each other and stay two.

Whether they are joined is for somebody here to decide: such a pair stands among the possible duplicates 疑似重复档案.
"""

from healthsvc.fhir.json import Resource
from healthsvc.healthfile.duplicates import is_told_apart
from healthsvc.healthfile.linking import link, unlink
from healthsvc.healthfile.merging import is_parted
from integrations.effects.care import Outcome
from integrations.effects.person import NotOurs, Party, SetAside, admit_person, citizen_ids, find
from integrations.effects.scene import Scene
from integrations.hl7v2.linked import read_linked
from integrations.hl7v2.person import Demographics
from integrations.hospitals.profile import Unknown


def links(scene: Scene) -> Outcome:
    """A24, A37.

    Raises:
        SetAside: they carry different citizen ids; somebody has found that they are two people; or the hospital says two of one file.
    """
    store, told = scene.store, read_linked(scene.message, scene.header, scene.profile, scene.zone)
    outcome = Outcome(happened=told.happened.at if told.happened else store.at)
    known = [find(store, one.numbers) for one in (told.one, told.other)]
    if scene.header.trigger == "A37":
        _apart(scene, known, outcome)
        return outcome
    parties = [_party(scene, file, person, known) for file, person in zip(known, (told.one, told.other), strict=True)]
    here = [one for one in parties if one is not None]
    outcome.patient = here[0].id
    outcome.wrote(*(one.patient for one in here if one.changed))
    if len(here) < len(parties):
        outcome.remarks.append("one of the two is not on file here; nothing was linked")
    elif here[0].id == here[1].id:
        outcome.remarks.append("the two numbers were one file already")
    else:
        _check(scene, *(one.patient for one in here))
        outcome.wrote(*link(store, here[0].id, here[1].id))
    return outcome


def _party(scene: Scene, file: Resource | None, person: Demographics, known: list[Resource | None]) -> Party | None:
    """The person of one PID; None for somebody unknown whom the link forgets, where the other one is ours."""
    try:
        return admit_person(scene.store, file, person, scene.profile, overwrite=False)
    except NotOurs:
        if any(known):
            return None
        raise


def _check(scene: Scene, one: Resource, other: Resource) -> None:
    if citizen_ids(one) and citizen_ids(other) and not citizen_ids(one) & citizen_ids(other):
        raise SetAside(
            "the two files carry different citizen ids; look at both before linking them", path="PID-3", reason="merge-citizen-ids"
        )
    if is_parted(scene.store, one["id"], other["id"]) or is_told_apart(scene.store, one["id"], other["id"]):
        raise SetAside(
            "somebody has found that these two files are two people's; look again, and join them by hand if they are one after all",
            path="PID-3",
            reason="link-parted",
        )


def _apart(scene: Scene, known: list[Resource | None], outcome: Outcome) -> None:
    """Where both lead to one file, somebody must take that back by hand: what has been written since belongs to one of the two, and no
    message says to which."""
    one, other = known
    if one is None and other is None and scene.profile.unknown_person is Unknown.FORGET:
        raise NotOurs
    changed: list[Resource] = []
    if one is not None and other is not None:
        if one["id"] == other["id"]:
            raise SetAside(
                "the hospital says that these are two persons, and their numbers are on one file here; take the merge back, then try again",
                path="PID-3",
                reason="unlink-asked",
            )
        changed = unlink(scene.store, one["id"], other["id"])
    outcome.patient = next((str(file["id"]) for file in known if file is not None), None)
    outcome.wrote(*changed)
    if not changed:
        outcome.remarks.append("the numbers that are not one person were on no common file; nothing was changed")
