"""Each of the twelve gates: a passing, a failing and a missing-evidence case; overrides; allergy classes; drug lists."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from healthsvc.errors import Invalid
from healthsvc.infusion.rules.checks import Outcome
from healthsvc.infusion.rules.drugs import Substance, Verdict, from_csv, from_table
from healthsvc.infusion.rules.gates import AT_ORDER, NEVER_OVERRIDDEN, REASONS, Gate, pass_gates, shut
from healthsvc.infusion.rules.order import (
    Approval,
    Care,
    CareKind,
    Companion,
    Consent,
    DoubleCheck,
    Evidence,
    FirstDose,
    Licence,
    Order,
    Override,
    RescueKit,
    SkinTest,
    Slot,
)
from healthsvc.infusion.rules.parameters import InfusionPolicy
from healthsvc.policy import load

ON = date(2026, 11, 23)
AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
POLICY = load(Path("absent")).fill(InfusionPolicy, "infusion", ON)
DRUGS = from_table(POLICY.drug_list)

ORDER = Order("p1", "dr-1", "ceftriaxone", "头孢曲松钠", "2.0 g", "0.9%氯化钠", 250, 125, ON, 3, batch="B1", authored=ON)
DOCTOR = Licence("dr-1", "doctor", date(2010, 1, 1), date(2030, 1, 1), may_order=True)
NURSE = Licence("nu-1", "nurse", date(2015, 1, 1), date(2030, 1, 1), "senior-nurse", may_infuse=True)
GOOD = Evidence(
    on=ON,
    at=AT,
    care=(Care(CareKind.HOME_BED, "bed-1", date(2026, 11, 1), date(2027, 1, 29)),),
    prescriber=DOCTOR,
    approval=Approval("dr-2", AT - timedelta(hours=1), "同意居家使用"),
    first_dose=FirstDose(date(2026, 11, 22), "示范医院", "ceftriaxone"),
    skin_test=SkinTest(AT - timedelta(hours=20), "ceftriaxone", "B1", negative=True),
    allergies=(),
    consent=Consent("c1", date(2026, 11, 22)),
    companion=Companion(True, True, "nu-1", ON),
    double_check=DoubleCheck("nu-1", "dr-1", AT - timedelta(minutes=30)),
    nurse=NURSE,
    kit=RescueKit(ON, "nu-1", frozenset(POLICY.kit_items), date(2027, 3, 1)),
    slot=Slot(AT, 165),
)


def outcome(gate: Gate, order: Order = ORDER, **change: Any) -> tuple[Outcome, str | None]:
    (result,) = pass_gates(order, replace(GOOD, **change), POLICY, [gate])
    assert result.gate is gate
    return result.outcome, result.reason


def test_all_twelve_gates_open_on_good_evidence() -> None:
    results = pass_gates(ORDER, GOOD, POLICY)
    assert [result.gate for result in results] == list(Gate)
    assert len(results) == 12
    assert not shut(results)
    assert all(result.reason is None for result in results)
    assert all(result.evidence for result in results)


KIT = RescueKit(ON, "nu-1", frozenset(POLICY.kit_items), date(2027, 3, 1))
MISSING: list[tuple[Gate, dict[str, Any]]] = [
    (Gate.CARE, {"care": ()}),
    (Gate.ORDER, {"prescriber": None}),
    (Gate.RESTRICTED, {"approval": None}),
    (Gate.FIRST_DOSE, {"first_dose": None}),
    (Gate.SKIN_TEST, {"skin_test": None}),
    (Gate.ALLERGY, {"allergies": None}),
    (Gate.CONSENT, {"consent": None}),
    (Gate.COMPANION, {"companion": None}),
    (Gate.DOUBLE_CHECK, {"double_check": None}),
    (Gate.NURSE_AND_KIT, {"nurse": None}),
    (Gate.NURSE_AND_KIT, {"kit": None}),
    (Gate.NURSE_AND_KIT, {"kit": replace(KIT, expires=None)}),
    (Gate.NURSE_AND_KIT, {"nurse": replace(NURSE, clinical_since=None)}),
    (Gate.SLOT, {"slot": None}),
]


@pytest.mark.parametrize(("gate", "change"), MISSING)
def test_missing_evidence_shuts_a_gate(gate: Gate, change: dict[str, Any]) -> None:
    assert outcome(gate, **change) == (Outcome.MISSING, REASONS[gate])


UNKNOWN = replace(ORDER, drug_code="x", drug_name="某药")


@pytest.mark.parametrize("gate", [Gate.FORBIDDEN, Gate.RESTRICTED, Gate.SKIN_TEST, Gate.ALLERGY])
def test_a_drug_that_the_list_does_not_know_is_missing_evidence(gate: Gate) -> None:
    assert outcome(gate, UNKNOWN) == (Outcome.MISSING, REASONS[gate])


FAILING: list[tuple[Gate, Order, dict[str, Any]]] = [
    (Gate.CARE, ORDER, {"care": (Care(CareKind.CONTRACT, "k", date(2025, 1, 1), date(2026, 11, 22)),)}),
    (Gate.CARE, ORDER, {"care": (Care(CareKind.CONTRACT, "k", date(2026, 11, 24)),)}),
    (Gate.ORDER, ORDER, {"prescriber": replace(DOCTOR, role="nurse")}),
    (Gate.ORDER, ORDER, {"prescriber": replace(DOCTOR, may_order=False)}),
    (Gate.ORDER, ORDER, {"prescriber": replace(DOCTOR, valid_to=date(2026, 11, 22))}),
    (Gate.ORDER, replace(ORDER, authored=ON - timedelta(days=4)), {}),
    (Gate.ORDER, replace(ORDER, authored=ON + timedelta(days=1)), {}),
    (Gate.ORDER, replace(ORDER, authored=ON + timedelta(days=1), start=ON + timedelta(days=1)), {"on": ON + timedelta(days=1)}),
    (Gate.ORDER, replace(ORDER, start=ON - timedelta(days=3), authored=ON - timedelta(days=3)), {}),
    (Gate.FORBIDDEN, replace(ORDER, drug_code="norepinephrine"), {}),
    (Gate.FORBIDDEN, replace(ORDER, drug_code="", drug_name="青霉素钠"), {}),
    (Gate.RESTRICTED, ORDER, {"approval": Approval("dr-2", AT + timedelta(hours=1), "ok")}),
    (Gate.RESTRICTED, ORDER, {"approval": Approval("", AT, "ok")}),
    (Gate.RESTRICTED, ORDER, {"approval": Approval("dr-2", AT, "  ")}),
    (Gate.FIRST_DOSE, ORDER, {"first_dose": FirstDose(ON, "示范医院", "ceftriaxone", reaction=True)}),
    (Gate.FIRST_DOSE, ORDER, {"first_dose": FirstDose(ON, "示范医院", "cefuroxime")}),
    (Gate.FIRST_DOSE, ORDER, {"first_dose": FirstDose(ON - timedelta(days=31), "示范医院", "ceftriaxone")}),
    (Gate.FIRST_DOSE, ORDER, {"first_dose": FirstDose(ON + timedelta(days=1), "示范医院", "ceftriaxone")}),
    (Gate.SKIN_TEST, ORDER, {"skin_test": SkinTest(AT, "ceftriaxone", "B1", negative=False)}),
    (Gate.SKIN_TEST, ORDER, {"skin_test": SkinTest(AT, "ceftriaxone", "B2", negative=True)}),
    (Gate.SKIN_TEST, ORDER, {"skin_test": SkinTest(AT - timedelta(hours=73), "ceftriaxone", "B1", negative=True)}),
    (Gate.ALLERGY, ORDER, {"allergies": (Substance(name="头孢类"),)}),
    (Gate.ALLERGY, ORDER, {"allergies": (Substance(name="芒果"), Substance(name="青霉素过敏"))}),
    (Gate.CONSENT, ORDER, {"consent": Consent("c1", ON, withdrawn=ON)}),
    (Gate.CONSENT, ORDER, {"consent": Consent("c1", ON, risks_told=False)}),
    (Gate.CONSENT, ORDER, {"consent": Consent("c1", ON + timedelta(days=1))}),
    (Gate.CONSENT, ORDER, {"consent": Consent("c1", ON, kind="home-bed")}),
    (Gate.COMPANION, ORDER, {"companion": Companion(True, False, "nu-1", ON)}),
    (Gate.COMPANION, ORDER, {"companion": Companion(True, True, "nu-1", ON - timedelta(days=1))}),
    (Gate.DOUBLE_CHECK, ORDER, {"double_check": DoubleCheck("nu-1", "nu-1", AT)}),
    (Gate.DOUBLE_CHECK, ORDER, {"double_check": DoubleCheck("nu-1", "dr-1", AT - timedelta(hours=5))}),
    (Gate.DOUBLE_CHECK, ORDER, {"double_check": DoubleCheck("nu-1", "dr-1", AT + timedelta(minutes=1))}),
    (Gate.NURSE_AND_KIT, ORDER, {"nurse": replace(NURSE, clinical_since=date(2022, 1, 1))}),
    (Gate.NURSE_AND_KIT, ORDER, {"nurse": replace(NURSE, title="nurse")}),
    (Gate.NURSE_AND_KIT, ORDER, {"nurse": replace(NURSE, may_infuse=False)}),
    (Gate.NURSE_AND_KIT, ORDER, {"kit": replace(KIT, on=ON - timedelta(days=1))}),
    (Gate.NURSE_AND_KIT, ORDER, {"kit": replace(KIT, items=frozenset(POLICY.kit_items[1:]))}),
    (Gate.NURSE_AND_KIT, ORDER, {"kit": replace(KIT, expires=ON - timedelta(days=1))}),
    (Gate.SLOT, ORDER, {"slot": Slot(AT, 164)}),
]


@pytest.mark.parametrize(("gate", "order", "change"), FAILING)
def test_evidence_against_it_shuts_a_gate(gate: Gate, order: Order, change: dict[str, Any]) -> None:
    assert outcome(gate, order, **change) == (Outcome.FAILED, REASONS[gate])


def test_every_gate_has_a_passing_a_failing_and_a_missing_case() -> None:
    assert {gate for gate, _, _ in FAILING} == set(Gate)
    assert {gate for gate, _ in MISSING} | {Gate.FORBIDDEN} == set(Gate)


def test_reason_codes_are_stable_and_unique() -> None:
    assert len(set(REASONS.values())) == 12
    assert set(REASONS) == set(Gate)


def test_an_override_needs_name_and_reason_and_is_reported_in_the_result() -> None:
    said = Override(Gate.COMPANION, "dr-2", "女儿十分钟后到", AT)
    (result,) = pass_gates(ORDER, replace(GOOD, companion=None, overrides=(said,)), POLICY, [Gate.COMPANION])
    assert (result.outcome, result.overridden_by, result.override_reason) == (Outcome.OVERRIDDEN, "dr-2", "女儿十分钟后到")
    assert result.open
    assert result.reason == "infusion-no-companion"
    for bad in (
        replace(said, doctor=""),
        replace(said, reason=" "),
        replace(said, at=AT + timedelta(minutes=1)),
        replace(said, gate="slot"),
    ):
        (result,) = pass_gates(ORDER, replace(GOOD, companion=None, overrides=(bad,)), POLICY, [Gate.COMPANION])
        assert result.outcome is Outcome.MISSING


def test_a_site_may_ask_that_both_sign_the_check() -> None:
    strict = replace(POLICY, double_check_signed=True)
    for signed, outcome_ in ((False, Outcome.FAILED), (True, Outcome.PASSED)):
        check = replace(GOOD.double_check, signed=signed)  # type: ignore[type-var]
        (result,) = pass_gates(ORDER, replace(GOOD, double_check=check), strict, [Gate.DOUBLE_CHECK])
        assert result.outcome is outcome_


@pytest.mark.parametrize("gate", sorted(NEVER_OVERRIDDEN | {Gate(name) for name in POLICY.absolute_gates}))
def test_absolute_gates_are_never_overridden(gate: Gate) -> None:
    order, change = next((order, change) for named, order, change in FAILING if named is gate)
    said = Override(gate, "dr-2", "急需", AT)
    loose = replace(POLICY, absolute_gates=())
    (result,) = pass_gates(order, replace(GOOD, **change, overrides=(said,)), loose if gate in NEVER_OVERRIDDEN else POLICY, [gate])
    assert result.absolute
    assert not result.open


def test_an_override_on_an_open_gate_changes_nothing() -> None:
    results = pass_gates(ORDER, replace(GOOD, overrides=(Override(Gate.SLOT, "dr-2", "x", AT),)), POLICY)
    assert all(result.overridden_by is None for result in results)


def test_the_gates_of_an_order_are_the_first_eight() -> None:
    assert tuple(Gate)[:8] == AT_ORDER


@pytest.mark.parametrize(
    ("drug", "allergy", "match"),
    [
        ("ceftriaxone", Substance(code="ceftriaxone"), "same-drug"),
        ("ceftriaxone", Substance(name="头孢曲松钠 过敏"), "same-drug"),
        ("ceftriaxone", Substance(name="头孢呋辛"), "same-class"),
        ("ceftriaxone", Substance(classes=frozenset({"cephalosporin"})), "same-class"),
        ("ceftriaxone", Substance(name="Penicillin"), "cross-reaction"),
        ("ceftriaxone", Substance(code="ampicillin"), "cross-reaction"),
        ("ceftriaxone", Substance(name="β-内酰胺类"), "cross-reaction"),
        ("levofloxacin", Substance(name="莫西沙星"), "same-class"),
        ("ceftriaxone", Substance(name="磺胺"), None),
        ("ambroxol", Substance(name="青霉素"), None),
        ("ceftriaxone", Substance(), None),
    ],
)
def test_allergies_match_by_drug_class_and_cross_reaction(drug: str, allergy: Substance, match: str | None) -> None:
    entry = DRUGS.find(drug)
    assert entry is not None
    assert DRUGS.allergy_matches(entry, allergy) == match


def test_the_shipped_list_says_that_it_is_an_example() -> None:
    assert DRUGS.example
    assert "example" in DRUGS.version


def test_a_class_verdict_holds_for_its_drugs_through_all_levels() -> None:
    listed = from_table(
        {
            "version": "1",
            "approver": "药事会",
            "classes": [
                {"code": "a", "verdict": "forbidden"},
                {"code": "b", "parents": ["a"]},
                {"code": "c", "parents": ["b", "c"]},
            ],
            "drugs": [{"code": "x", "names": ["X"], "verdict": "allowed", "classes": ["c"]}],
        }
    )
    drug = listed.find("x")
    assert drug is not None
    assert listed.verdict(drug) is Verdict.FORBIDDEN
    assert listed.allergy_matches(drug, Substance(classes=frozenset({"a"}))) == "same-class"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"approver": "x"}, "version"),
        ({"version": "1"}, "approver"),
        ({"version": "1", "approver": "x", "drugs": [{"code": "a", "verdict": "allowed"}]}, "drugs[0]"),
        ({"version": "1", "approver": "x", "drugs": [{"code": "a", "names": ["A"], "verdict": "maybe"}]}, "maybe"),
        ({"version": "1", "approver": "x", "drugs": [{"code": "a", "names": ["A"], "verdict": "allowed"}] * 2}, "twice"),
        (
            {"version": "1", "approver": "x", "drugs": [{"code": "a", "names": ["A"], "verdict": "allowed", "classes": ["q"]}]},
            "q is not declared",
        ),
        ({"version": "1", "approver": "x", "classes": [{}]}, "classes[0]"),
    ],
)
def test_a_faulty_list_is_refused_with_its_entry(table: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid, match=says.replace("[", r"\[")):
        from_table(table)


def test_a_list_from_csv() -> None:
    header = "\ufeffcode,names,verdict,classes,skin_test\n"
    text = header + "ceftriaxone,头孢曲松;ceftriaxone,restricted,cephalosporin,是\nambroxol,氨溴索,allowed,,\n"
    listed = from_csv(text, "2026-11", "药事会", DRUGS.classes)
    assert [drug.code for drug in listed.drugs] == ["ceftriaxone", "ambroxol"]
    assert listed.drugs[0].skin_test
    assert listed.drugs[0].names == ("头孢曲松", "ceftriaxone")
    with pytest.raises(Invalid, match="line 1: column verdict missing"):
        from_csv("code,names\n", "1", "x")
    with pytest.raises(Invalid, match="line 2: verdict 'yes'"):
        from_csv("code,names,verdict\na,A,yes\n", "1", "x")
    with pytest.raises(Invalid, match="line 2, column skin_test"):
        from_csv("code,names,verdict,skin_test\na,A,allowed,maybe\n", "1", "x")
