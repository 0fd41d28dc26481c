"""The FHIR R4 REST API: one file an interaction; answers are built from the stored bytes."""
