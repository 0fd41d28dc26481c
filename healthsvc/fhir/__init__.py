"""The language: FHIR R4 (4.0.1) as plain JSON values, the registry of its facts, validation and search-index extraction."""
