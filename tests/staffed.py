"""Members of the staff as tests need them: registered since 2010, with the qualifications named."""

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system


def staffed(id: str, *codes: str, text: str = "", since: str = "2010-07-01") -> Resource:
    """A Practitioner with these codes of CodeSystem staff-qualification; ``text`` names the title in words."""
    system = code_system("staff-qualification")
    held = [
        {"code": {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}, "period": {"start": since}}
        for code in codes
    ]
    return {"resourceType": "Practitioner", "id": id, "active": True, "qualification": held}
