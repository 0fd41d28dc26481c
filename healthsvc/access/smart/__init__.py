"""SMART on FHIR: scopes, clients, and the grants of OAuth 2 (SMART App Launch 2.2; RFC 6749, 7636, 7523, 7009, 7662)."""
