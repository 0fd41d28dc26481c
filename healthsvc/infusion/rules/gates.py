"""The twelve gates 十二道关: each a pure function of the order and its evidence, with a reason code of its own. No silent override.

Source: handbook 2.7, drawn from centres' consent forms and rules; there is no national text, so every number is policy.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from healthsvc.infusion.rules import checks
from healthsvc.infusion.rules.checks import Finding, Outcome
from healthsvc.infusion.rules.drugs import DrugList, from_table
from healthsvc.infusion.rules.order import Evidence, Order
from healthsvc.infusion.rules.parameters import InfusionPolicy


class Gate(StrEnum):
    """The gates, in the order in which they are asked."""

    CARE = "active-care"
    ORDER = "order"
    FORBIDDEN = "drug-forbidden"
    RESTRICTED = "drug-restricted"
    FIRST_DOSE = "first-dose"
    SKIN_TEST = "skin-test"
    ALLERGY = "allergy"
    CONSENT = "consent"
    COMPANION = "companion"
    DOUBLE_CHECK = "double-check"
    NURSE_AND_KIT = "nurse-and-kit"
    SLOT = "slot"


REASONS = {
    Gate.CARE: "infusion-no-active-care",
    Gate.ORDER: "infusion-order-not-authorised",
    Gate.FORBIDDEN: "infusion-drug-forbidden",
    Gate.RESTRICTED: "infusion-drug-not-approved",
    Gate.FIRST_DOSE: "infusion-first-dose-unproven",
    Gate.SKIN_TEST: "infusion-skin-test-invalid",
    Gate.ALLERGY: "infusion-allergy",
    Gate.CONSENT: "infusion-no-consent",
    Gate.COMPANION: "infusion-no-companion",
    Gate.DOUBLE_CHECK: "infusion-not-double-checked",
    Gate.NURSE_AND_KIT: "infusion-nurse-or-kit-not-ready",
    Gate.SLOT: "infusion-slot-too-short",
}
"""One stable reason code per gate."""

NEVER_OVERRIDDEN = frozenset({Gate.ORDER, Gate.FORBIDDEN, Gate.ALLERGY, Gate.CONSENT, Gate.DOUBLE_CHECK})
"""Gates that no policy and no doctor opens. A site may make more gates absolute (``infusion.absolute_gates``), never fewer."""

AT_ORDER = (Gate.CARE, Gate.ORDER, Gate.FORBIDDEN, Gate.RESTRICTED, Gate.FIRST_DOSE, Gate.SKIN_TEST, Gate.ALLERGY, Gate.CONSENT)
"""Gates that can be asked when a course is ordered; the visit asks all twelve again at the bedside."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's result: the reason code where it is shut, why in words, and the evidence that was looked at."""

    gate: Gate
    outcome: Outcome
    text: str
    evidence: tuple[str, ...] = ()
    absolute: bool = False
    overridden_by: str | None = None
    override_reason: str | None = None

    @property
    def open(self) -> bool:
        """Whether the infusion may go on as far as this gate is concerned."""
        return self.outcome in {Outcome.PASSED, Outcome.OVERRIDDEN}

    @property
    def reason(self) -> str | None:
        """The stable reason code; None where the gate opened by itself."""
        return None if self.outcome is Outcome.PASSED else REASONS[self.gate]


Check = Callable[[Order, Evidence, InfusionPolicy, DrugList], Finding]


def pass_gates(order: Order, evidence: Evidence, policy: InfusionPolicy, gates: Iterable[Gate] = tuple(Gate)) -> tuple[GateResult, ...]:
    """Ask the gates and apply the overrides that are allowed; the results stand in the order of the gates."""
    drugs = from_table(policy.drug_list)
    asked = set(gates)
    return tuple(_ask(gate, order, evidence, policy, drugs) for gate in Gate if gate in asked)


def shut(results: Iterable[GateResult]) -> tuple[GateResult, ...]:
    """The gates that stay shut."""
    return tuple(result for result in results if not result.open)


def _ask(gate: Gate, order: Order, evidence: Evidence, policy: InfusionPolicy, drugs: DrugList) -> GateResult:
    outcome, text, looked_at = _CHECKS[gate](order, evidence, policy, drugs)
    result = GateResult(gate, outcome, text, looked_at, gate in NEVER_OVERRIDDEN or gate.value in policy.absolute_gates)
    if result.open or result.absolute:
        return result
    for one in evidence.overrides:
        if one.gate == gate and one.doctor and one.reason.strip() and one.at <= evidence.at:
            return replace(result, outcome=Outcome.OVERRIDDEN, overridden_by=one.doctor, override_reason=one.reason.strip())
    return result


_CHECKS: dict[Gate, Check] = {
    Gate.CARE: checks.care,
    Gate.ORDER: checks.order,
    Gate.FORBIDDEN: checks.forbidden,
    Gate.RESTRICTED: checks.restricted,
    Gate.FIRST_DOSE: checks.first_dose,
    Gate.SKIN_TEST: checks.skin_test,
    Gate.ALLERGY: checks.allergy,
    Gate.CONSENT: checks.consent,
    Gate.COMPANION: checks.companion,
    Gate.DOUBLE_CHECK: checks.double_check,
    Gate.NURSE_AND_KIT: checks.nurse_and_kit,
    Gate.SLOT: checks.slot,
}
