"""Policy parameters 政策参数: every number that is policy and not law, dated, sourced and overridable.

Shipped in ``healthsvc/policy/*.toml``; a site adds or overrides in ``DATA/policy/*.toml``. One file looks like this::

    [[parameter]]
    name = "checkup.per_year"          # room.parameter
    value = 4                          # number, text, list or table
    unit = "1/a"                       # UCUM, or plain words
    title = "每年上门体检次数"
    title_en = "Home checkups a year"
    source = "Ningbo 四就近 report, 2021: 每季上门"
    trust = "S"                        # S V V2 M I G, as explained in docs/policy.md
    effective_from = 2007-01-01
    jurisdiction = "CN"                # or a province or city: CN-33, CN-3302

Rules never read files: a room declares a frozen dataclass of the values it needs and gets it filled by :meth:`Policy.fill`.
"""

from healthsvc.policy.loader import Change, Parameter, Policy, Spell, load

__all__ = ["Change", "Parameter", "Policy", "Spell", "load"]
