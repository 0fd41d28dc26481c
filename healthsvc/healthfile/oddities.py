"""不一致之处: what in a file contradicts itself. Warned of and never blocked: old cards carry wrong dates, old numbers wrong lengths."""

from datetime import date

from healthsvc.errors import Invalid
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, UNVERIFIED_CITIZEN_ID
from healthsvc.healthfile import citizen_id
from healthsvc.healthfile.rules import Person, check_file_number


def oddities(person: Person, on: date, oldest: int) -> tuple[str, ...]:
    """Stable codes of what does not fit, in the order in which one would look at it.

    ``citizen-id-unverified``, ``citizen-id-impossible``, ``birth-differs``, ``sex-differs``, ``area-unknown``, ``file-number-length``.
    """
    found = []
    for one in person.identifiers:
        if one.system == UNVERIFIED_CITIZEN_ID:
            found.append("citizen-id-unverified")
        elif one.system == HEALTH_FILE_NUMBER and check_file_number(one.value):
            found.append("file-number-length")
        elif one.system == CITIZEN_ID:
            try:
                read = citizen_id.read(one.value, on, oldest)
            except Invalid:
                found.append("citizen-id-impossible")
                continue
            found += ["birth-differs"] if person.birth is not None and person.birth != read.birth else []
            found += ["sex-differs"] if person.sex in ("male", "female") and person.sex != read.sex else []
            found += ["area-unknown"] if read.warnings else []
    return tuple(dict.fromkeys(found))
