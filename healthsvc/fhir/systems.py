"""Names that our resources share: identifier systems, code systems and extension urls. One place, so that no room invents its own."""

BASE = "https://healthsvc.example/fhir"
"""Canonical base of everything that we define (a reserved name: canonical urls identify, they need not resolve)."""

# Identifier systems. OIDs: templates of the national health record standard, arc 2.16.156.10011 (handbook 3.1, trust V2).
CITIZEN_ID = "urn:oid:2.16.156.10011.1.3"
HEALTH_FILE_NUMBER = "urn:oid:2.16.156.10011.1.2"
STAFF_NUMBER = "urn:oid:2.16.156.10011.1.4"
INSTITUTION_CODE = "urn:oid:2.16.156.10011.1.5"
OUTPATIENT_NUMBER = "urn:oid:2.16.156.10011.1.11"
INPATIENT_NUMBER = "urn:oid:2.16.156.10011.1.12"
HEALTH_CARD = "urn:oid:2.16.156.10011.1.19"
LIXIU_CERTIFICATE = f"{BASE}/NamingSystem/lixiu-certificate"
UNVERIFIED_CITIZEN_ID = f"{BASE}/NamingSystem/citizen-id-unverified"
ONE_KEY_DEVICE = f"{BASE}/NamingSystem/one-key-device"
"""Number of a one-key telephone or button in somebody's home (一键通)."""
CONTRACT_NUMBER = f"{BASE}/NamingSystem/contract-number"

CARD_TOKEN = f"{BASE}/NamingSystem/contact-card-token-sha256"
CARD_FACTS = f"{BASE}/NamingSystem/contact-card-facts"
DOCUMENT_SHA256 = f"{BASE}/NamingSystem/document-sha256"


def hospital_number(hospital: str) -> str:
    """Identifier system of the patient numbers that one hospital gives out (``hospital`` is the link profile's hospital code)."""
    return f"{BASE}/NamingSystem/hospital/{hospital}"


def visit_number(hospital: str) -> str:
    """Identifier system of one hospital's visit numbers (HL7 PV1-19)."""
    return f"{BASE}/NamingSystem/visit/{hospital}"


def code_system(name: str) -> str:
    """Our own code system of that name, for example ``cadre-category``."""
    return f"{BASE}/CodeSystem/{name}"


def value_set(name: str) -> str:
    """Our own value set of that name."""
    return f"{BASE}/ValueSet/{name}"


def profile(name: str) -> str:
    """Our own profile of that name, for example ``cadre-patient``."""
    return f"{BASE}/StructureDefinition/{name}"


extension = profile
"""Extensions are StructureDefinitions too."""

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
V3_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
V3_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
HOME_CARE = code_system("home-care")
"""What is done at home under a regime of its own: ``home-bed`` (EpisodeOfCare), ``home-infusion`` (MedicationRequest)."""
