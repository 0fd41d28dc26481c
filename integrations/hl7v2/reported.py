"""Which segments of ORU and OUL belong to which report, and which observations (OBX) are no results."""

from dataclasses import dataclass, field

from healthsvc.errors import Invalid
from integrations.hl7v2.er7 import Message, Segment

SPECIMEN_FIRST = frozenset({"R22", "R23"})
"""Events in which the specimen stands before its orders."""
_NO_RESULTS_BEFORE = frozenset({"PV1", "TXA"})
"""What stands before these and any OBR belongs to no order: PATIENT_OBSERVATION, ORDER_DOCUMENT of ORU_R01 (HL7 v2.7 and later)."""
_OF_A_SPECIMEN = frozenset({"OBX", "NTE", "SAC", "INV", "PRT"})


@dataclass(frozen=True, slots=True)
class Portion:
    """One OBR with what belongs to it."""

    obr: Segment
    rest: list[Segment] = field(default_factory=list)
    """ORC and specimens, results with their notes and who takes part, in the order of the message."""

    def reports(self) -> bool:
        """Whether it has a result."""
        return any(one.name == "OBX" for one in self.rest)

    def specimens(self) -> list[Segment]:
        """Its SPM; a specimen that stands before several orders is that of each."""
        return [one for one in self.rest if one.name == "SPM"]


@dataclass(frozen=True, slots=True)
class Reported:
    """A message cut into its reports."""

    portions: list[Portion]
    adopted: int = 0
    """Results that stood before the only order and were read as its own."""
    aside: int = 0
    """Observations of the patient, of a container and of a document."""


def reported(message: Message, trigger: str) -> Reported:
    """Cut a message of results into its reports.

    Behind SPM may stand observations of the specimen (SPECIMEN of ORU_R01 and OUL_R24, HL7 v2.5.1 7.3.1), but laboratories also write SPM
    before or between their results. HL7's own map makes Observations of both; all are read as results, so that none is lost to sight.

    Raises:
        Invalid: there is no OBR, or a result stands before several; the path is the HL7 position.
    """
    portions: list[Portion] = []
    order: Segment | None = None
    leads = trigger in SPECIMEN_FIRST
    strays: list[Segment] = []  # results before any order
    aside = 0
    waiting: list[Segment] = []  # specimens whose orders follow
    of_specimen = of_container = False
    for segment in message.segments:
        name = segment.name
        if name == "SPM" and (leads or not portions):
            waiting = [segment] if not waiting or of_specimen or (portions and portions[-1].rest) else [*waiting, segment]
            of_specimen = True
            continue
        if of_specimen and name in _OF_A_SPECIMEN:
            continue  # said of the specimen itself; kept with the message
        if name == "SAC" and not portions:
            of_container = not strays
        elif name == "SAC" and portions[-1].reports():
            of_specimen = True
        if strays and name in _NO_RESULTS_BEFORE:
            aside, strays = aside + sum(one.name == "OBX" for one in strays), []
        if name == "OBR":
            portions.append(Portion(segment, [*([order] if order else []), *waiting]))
            order, of_specimen = None, False
        elif name == "ORC" and (not portions or portions[-1].reports()):
            order = segment
            of_specimen = False
        elif portions and (name in ("OBX", "NTE", "ORC", "SPM") or (name == "PRT" and order is None)):
            portions[-1].rest.append(segment)
        elif name == "OBX" or (strays and name == "NTE"):
            strays.append(segment)
    if not portions:
        raise Invalid("the message has no OBR segment, so it reports nothing", path="OBR", reason="no-report")
    if strays and of_container and (len(portions) > 1 or portions[0].reports()):
        aside, strays = aside + sum(one.name == "OBX" for one in strays), []  # OUL_R21 (v2.4): what a container is like
    if strays:
        _adopt(strays, portions)
    return Reported(portions, sum(one.name == "OBX" for one in strays), aside)


def _adopt(strays: list[Segment], portions: list[Portion]) -> None:
    """Results that stand before any OBR: of the only order of the message, where that has none of its own; otherwise nobody may guess."""
    if len(portions) > 1 or portions[0].reports():
        raise Invalid(
            "a result (OBX) stands before any order (OBR), and more than one thing could be meant; send each OBX behind its OBR",
            path="OBX[1]",
            reason="result-without-order",
        )
    portions[0].rest.extend(strays)
