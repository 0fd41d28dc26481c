"""What a hospital says later of a message that we have sent it: its application answer (enhanced mode), come by its own line to us."""

from integrations.answers import heard
from integrations.effects.care import Outcome
from integrations.effects.scene import Scene
from integrations.hl7v2.replies import reply_of

_MIDDLE = 0.5
"""No jitter: answers come one by one, when the hospital is ready."""


def answered(scene: Scene) -> Outcome:
    """ACK and other answers: the message of ours that MSA-2 names is done, is tried again, or lands with the operator."""
    outcome = Outcome(happened=scene.store.at)
    found = heard(scene.store, scene.profile.name, reply_of(scene.message), _MIDDLE)
    outcome.remarks.append("it answers nothing that was sent on this line" if found is None else f"the message that it answers: {found}")
    return outcome
