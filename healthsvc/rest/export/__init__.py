"""``$export``: whole stocks of records as NDJSON files, made in the background (FHIR Bulk Data Access 2.0)."""
