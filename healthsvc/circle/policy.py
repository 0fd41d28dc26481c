"""The circle's policy parameters in force on a day."""

from datetime import date

from healthsvc.circle.rules import CirclePolicy
from healthsvc.policy import Policy


def policy_values(policy: Policy, on: date) -> CirclePolicy:
    """The circle's parameters in force on a day."""
    return policy.fill(CirclePolicy, "circle", on)
