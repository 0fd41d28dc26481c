"""Somebody whom a doctor has found eligible for a home bed, as tests need them."""

from datetime import date

from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.eligibility import Assessment


def eligible(patient: str, doctor: str, on: date) -> Assessment:
    """After pneumonia, again and again infected, hardly able to look after themselves; both sides agree."""
    illness = Diagnosis("J15.900", "肺炎恢复期")
    return Assessment(patient, doctor, on, illness, frozenset({"recurrent-infection"}), frozenset(), True, 20, True, True, "建床")
