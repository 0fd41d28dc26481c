"""What we publish about our own use of FHIR: profiles, extensions, value sets, code systems, search parameters, identifier systems.

The tables (``codes_*``, ``extensions``, ``profiles``) are the one source: ``publish`` writes them as FHIR resources for clients, and
``healthsvc.fhir.profiles`` checks resources against them. Tests hold them against what the rooms really write.
"""
