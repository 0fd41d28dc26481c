"""冻结文书 Frozen documents: what was signed, as PDF/A with its font inside, SHA-256 and a detached signature; never changed."""

from healthsvc.documents.paper import Code, Document, Drawing, Fields, Paragraph, Section, Signature, Signatures, Table
from healthsvc.documents.render import unprintable
from healthsvc.documents.service import Frozen, Verdict, freeze, freeze_scan, frozen_of, pdf_of, supersede, verify

__all__ = [
    "Code",
    "Document",
    "Drawing",
    "Fields",
    "Frozen",
    "Paragraph",
    "Section",
    "Signature",
    "Signatures",
    "Table",
    "Verdict",
    "freeze",
    "freeze_scan",
    "frozen_of",
    "pdf_of",
    "supersede",
    "unprintable",
    "verify",
]
