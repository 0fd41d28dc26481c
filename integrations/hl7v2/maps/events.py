"""Events of the standard (HL7 v2.6 table 0003, chapters 3 and 6) that call for nothing here, and why: the message is kept and accepted."""

UNNEEDED: dict[str, str] = {
    "ADT^A20": "whether a bed is free, clean or closed (NPU) is the hospital's own affair; the message names nobody",
    "ADT^A23": "a hospital clears a visit out of its own records; no feed deletes what is on file here, and a visit that never was is A11",
    "ADT^A29": "a hospital clears a person out of its own records; no feed deletes a file here, and two numbers of one person are A40",
    "ADT^A48": "alternate numbers (PID-4, MRG-2) are not kept: they repeat PID-3 in every feed seen",
    "BAR^P02": "a hospital purges accounts from its books; what was charged here, and when it was settled, stays",
    "BAR^P10": "ambulatory payment classification (GP1, GP2): a grouping for payment in the United States",
}
