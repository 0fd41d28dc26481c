"""Writing messages: segments from positions and values, every value escaped, so that nothing a person is called can cut a message."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from integrations.hl7v2.delimiters import Delimiters
from integrations.hl7v2.escapes import escape

Component: TypeAlias = str | tuple[str, ...]
"""A text, or its subcomponents."""
Repetition: TypeAlias = str | tuple[Component, ...]
"""A text, or components in order."""
Value: TypeAlias = Repetition | list[Repetition]
"""A repetition, or a list of them."""

STANDARD = Delimiters()


def segment(name: str, fields: Mapping[int, Value], cut: Delimiters = STANDARD) -> str:
    """One segment from its positions: ``segment("PID", {3: [("C1", "", "", "", "IDCard")], 5: "测试甲"})``."""
    last = max(fields, default=0)
    return cut.field.join([name, *(_field(fields.get(position, ""), cut) for position in range(1, last + 1))])


def message(
    event: tuple[str, ...],
    control_id: str,
    at: datetime,
    segments: Sequence[str],
    *,
    sender: tuple[str, str],
    receiver: tuple[str, str],
    version: str = "2.4",
    charset: str = "",
    asks: tuple[str, str] = ("", ""),
    cut: Delimiters = STANDARD,
) -> str:
    """A whole message: MSH in front, every segment ended by CR. ``event`` is MSH-9 by components, ``asks`` MSH-15 and MSH-16."""
    fields: dict[int, Value] = {
        3: sender[0],
        4: sender[1],
        5: receiver[0],
        6: receiver[1],
        7: stamp(at),
        9: event,
        10: control_id,
        11: "P",
        12: version,
        15: asks[0],
        16: asks[1],
        17: "CHN",
        18: charset,
    }
    body = [_field(fields.get(position, ""), cut) for position in range(3, 19 if charset else 18)]
    return "\r".join((cut.field.join([f"MSH{cut.field}{cut.encoding}", *body]), *segments)) + "\r"


def stamp(at: datetime) -> str:
    """A moment as HL7 writes it, to the second, in its own zone without saying so (as hospitals do)."""
    return at.strftime("%Y%m%d%H%M%S")


def _field(value: Value, cut: Delimiters) -> str:
    if isinstance(value, list):
        return cut.repetition.join(_repetition(one, cut) for one in value)
    return _repetition(value, cut)


def _repetition(value: Repetition, cut: Delimiters) -> str:
    if isinstance(value, str):
        return value if value == '""' else escape(value, cut)
    return cut.component.join(_component(one, cut) for one in value).rstrip(cut.component)


def _component(value: Component, cut: Delimiters) -> str:
    if isinstance(value, str):
        return escape(value, cut)
    return cut.subcomponent.join(escape(one, cut) for one in value)
