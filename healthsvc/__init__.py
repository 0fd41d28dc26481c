"""healthsvc: community-care follow-up for retired cadres (离退休干部), in FHIR R4 and HL7 v2."""

__version__ = "0.1.0"
