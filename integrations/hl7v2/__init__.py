"""HL7 v2 as text: reading, answering, and one file per message family (text to values, values to text). No input or output here."""
