"""The store: tables, transactions, versioned resources, the search index and search. The only place with SQL for FHIR resources."""
