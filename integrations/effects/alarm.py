"""A call for help that comes over a hospital's or an alarm centre's line: the chain is called as for any other."""

from healthsvc.emergency import service
from healthsvc.emergency.journal import Call
from healthsvc.errors import NotFound
from integrations.effects.care import Outcome
from integrations.effects.person import SetAside, find
from integrations.effects.scene import Scene
from integrations.hl7v2.alarm import read_alarm


def alarm(scene: Scene) -> Outcome:
    """ORU^R40: raise the alarm of a device, or of a person by their numbers; the message's own id makes it one however often it comes.

    Raises:
        SetAside: nobody here has this device or number; somebody must look at it at once.
    """
    store = scene.store
    event = read_alarm(scene.message, scene.header, scene.profile, scene.zone)
    at = min(event.at.at, store.at) if event.at else store.at
    patient = None
    if event.person is not None:
        found = find(store, event.person.numbers)
        patient = str(found["id"]) if found else None
    source = scene.profile.name
    known = [
        Call(event.kind, source, at, patient=patient) if patient else None,
        *(
            Call(event.kind, source, at, device=event.device, device_system=system, text=event.text)
            for system in (event.device_system, service.DEVICE_NUMBER)
            if event.device and system
        ),
    ]
    for call in (one for one in known if one):
        try:
            raised = service.take_in(store, call)
        except NotFound:
            continue
        outcome = Outcome(raised.patient, happened=at)
        outcome.wrote({"resourceType": "Task", "id": raised.id})
        return outcome
    raise SetAside("a call for help from a device or person that nobody here knows; look now", path="PID-3", reason="alarm-unknown")
