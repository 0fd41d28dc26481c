"""随身 what a phone sends: one record of one visit, bounded in every direction."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.datastructures import FormData

from healthsvc.documents.paper import Drawing
from healthsvc.errors import Malformed
from healthsvc.infusion.rules.bedside import Act, Entry, Vitals
from healthsvc.pocket import facts as reading
from healthsvc.pocket.rules import Choice, Decision, Facts
from healthsvc.web.findings_form import Typed

Name = Annotated[str, Field(max_length=120)]
Text = Annotated[str, Field(max_length=2000)]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
_STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Answers(BaseModel):
    """A form as it was filled in: the fields of its page, in order."""

    model_config = _STRICT

    name: str = Field(max_length=64)
    fields: list[tuple[Name, Text]] = Field(max_length=800)

    def data(self) -> FormData:
        """As a browser would have posted it."""
        return FormData([(name, value) for name, value in self.fields])


class Strokes(BaseModel):
    """A signature as it was drawn."""

    model_config = _STRICT

    width: int
    height: int
    strokes: list[list[tuple[int, int]]] = Field(max_length=500)

    def drawing(self) -> Drawing:
        """Checked.

        Raises:
            Invalid: no hand has drawn this.
        """
        return Drawing(self.width, self.height, tuple(tuple(stroke) for stroke in self.strokes))


class Hand(BaseModel):
    """Who signed on the screen; ``relation`` is empty where the person did."""

    model_config = _STRICT

    name: str = Field(min_length=1, max_length=60)
    relation: str = Field("", max_length=60)
    drawing: Strokes


class Signs(BaseModel):
    """Vital signs at the bedside."""

    model_config = _STRICT

    systolic: int
    diastolic: int
    pulse: int
    temperature: Decimal
    spo2: int | None = None


class StepMade(BaseModel):
    """One step at the bedside, when it was taken (the phone's clock, set right by the last contact)."""

    model_config = _STRICT

    act: Act
    at: AwareDatetime
    text: str = Field("", max_length=500)
    matched: list[str] = Field(default_factory=list, max_length=8)
    vitals: Signs | None = None


class Decided(BaseModel):
    """What whoever made the visit has decided, and what they saw."""

    model_config = _STRICT

    choice: Choice
    seen: str = Field(max_length=64)


class Sent(BaseModel):
    """One record."""

    model_config = _STRICT

    key: Key
    task: str = Field(pattern=r"^[A-Za-z0-9\-.]{1,64}$")
    kind: Literal["visit", "miss", "drip"]
    then: dict[str, Any]
    main: str = Field("", max_length=64)
    """Name of the form that completes the visit; empty: the findings do."""
    fields: list[tuple[Name, Text]] = Field(default_factory=list, max_length=400)
    forms: list[Answers] = Field(default_factory=list, max_length=10)
    note: list[tuple[Name, Text]] = Field(default_factory=list, max_length=20)
    """The sections of a round's note, as its form names them."""
    signature: Hand | None = None
    reason: str = Field("", max_length=64)
    steps: list[StepMade] = Field(default_factory=list, max_length=100)
    device: AwareDatetime
    """When it was signed, by the phone's own clock."""
    sent: AwareDatetime
    """When it was sent, by the phone's own clock."""
    offset_then: int
    """Seconds by which the server was ahead of the phone at the last contact before the visit."""
    decision: Decided | None = None

    def facts(self) -> Facts:
        """What the phone knew.

        Raises:
            Malformed: it is not what was handed out.
        """
        try:
            return reading.of_json(self.then)
        except (KeyError, TypeError, ValueError):
            raise Malformed("`then` is not what the day's visits said of this visit; send it back as it came") from None

    def typed(self) -> Typed:
        """The findings as they were typed."""
        return Typed(dict(self.fields), [value for name, value in self.fields if name == "danger"])

    def form(self, name: str) -> Answers | None:
        """The answers to one form."""
        return next((one for one in self.forms if one.name == name), None)

    def signed_at(self) -> datetime:
        """When it was signed, by the phone's clock set right."""
        return self.device + timedelta(seconds=self.offset_then)

    def decided(self) -> Decision | None:
        """The decision, where there is one."""
        return Decision(self.decision.choice, self.decision.seen) if self.decision else None

    def entries(self, by: str, zone: tzinfo) -> tuple[Entry, ...]:
        """The steps as lines of the bedside log."""
        return tuple(_entry(one, by, zone) for one in self.steps)


class Batch(BaseModel):
    """Several records, each taken in by itself."""

    model_config = _STRICT

    grant: str = Field(max_length=40)
    records: list[Sent] = Field(min_length=1, max_length=100)


def staff_named(fields: Sequence[tuple[str, str]]) -> list[str]:
    """Who made the visit, as the fields ``by`` and ``with`` say."""
    told = dict(fields)
    return list(dict.fromkeys(one for one in (told.get("by", "").strip(), told.get("with", "").strip()) if one))


def _entry(one: StepMade, by: str, zone: tzinfo) -> Entry:
    signs = one.vitals
    vitals = Vitals(signs.systolic, signs.diastolic, signs.pulse, signs.temperature, signs.spo2) if signs else None
    return Entry(one.act, one.at.astimezone(zone).replace(microsecond=0), by, one.text.strip(), vitals, tuple(one.matched))
