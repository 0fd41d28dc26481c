"""床旁离线 which steps of a drip may be recorded without network, and which may not, because the server's gates decide over them."""

from typing import Final

from healthsvc.infusion.rules.bedside import TRANSITIONS, Act, Step

NEEDS_SERVER: Final = {
    Act.CLEAR: "十二道把关要问服务器：医嘱是否仍有效、过敏史、禁用药、护士资质、是否住院",
    Act.PUNCTURE: "穿刺前服务器须确认医嘱未被停、把关未过时、与上一剂间隔足够",
}
"""Nothing is begun without network: an order may have been stopped a minute ago. What runs already must be watched, ended and, if need
be, stopped wherever one stands; so every other step is recorded on the phone, with its time, and walked through the same protocol later."""


def protocol() -> dict[str, dict[str, str]]:
    """The protocol as the phone walks it: step -> act -> next step."""
    table: dict[str, dict[str, str]] = {}
    for (step, act), after in TRANSITIONS.items():
        table.setdefault(step.value, {})[act.value] = after.value
    return table


def offline(step: Step) -> tuple[Act, ...]:
    """What may be recorded without network where a visit stands at a step."""
    return tuple(act for act in Act if (step, act) in TRANSITIONS and act not in NEEDS_SERVER)
