"""MLLP, the envelope of HL7 v2 on a TCP line: bytes in ``framing``, sockets in ``server`` and ``client``, no HL7 here."""
