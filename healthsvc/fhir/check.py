"""Try FHIR files before trusting them to the service: are they valid R4, and do they come back from the store as they were?

Reports name files, lines, element paths and counts, never values: a file may hold people.
"""

import gzip
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from healthsvc.errors import Issue, Malformed, Refusal
from healthsvc.fhir.json import Lexical, Resource, loads
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import validate

StoreAndRead: TypeAlias = Callable[[Resource], Resource]
"""Stores a resource and returns what the store then gives back."""
Progress: TypeAlias = Callable[[int, int], None]
"""Told after each file: files done, files in all."""

ENDINGS = (".json", ".ndjson", ".json.gz", ".ndjson.gz")
SHOWN = 20
"""Most different problems that are listed for one file."""


@dataclass(slots=True)
class FileResult:
    """What was found in one file. ``problems``: (place and text) -> how often."""

    path: str
    documents: int = 0
    resources: int = 0
    """Resources that were tried on their own: the documents and what Bundles hold."""
    valid: int = 0
    invalid: int = 0
    unreadable: int = 0
    stored: int = 0
    identical: int = 0
    warnings: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        """Everything was read, is valid and came back as it was."""
        return not (self.invalid or self.unreadable or self.stored != self.identical)


COUNTS = ("documents", "resources", "valid", "invalid", "unreadable", "stored", "identical", "warnings")


@dataclass(slots=True)
class Report:
    """All files of one check."""

    files: list[FileResult] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Every file is clean, and there was at least one."""
        return bool(self.files) and all(one.clean for one in self.files)

    def totals(self) -> dict[str, int]:
        """The sums over all files."""
        return {"files": len(self.files), **{name: sum(getattr(one, name) for one in self.files) for name in COUNTS}}

    def as_json(self) -> dict[str, Any]:
        """The report for scripts."""
        listed = [{"path": one.path, **{name: getattr(one, name) for name in COUNTS}, "problems": dict(one.problems)} for one in self.files]
        return {"clean": self.clean, "totals": self.totals(), "files": listed}

    def lines(self) -> Iterator[str]:
        """The report for people: what is wrong by file, then the sums."""
        for one in self.files:
            if not one.clean:
                yield f"{one.path}: {one.valid} of {one.documents} documents valid"
                for text, times in one.problems.most_common(SHOWN):
                    yield f"  {times} x {text}"
                if len(one.problems) > SHOWN:
                    yield f"  ... and {len(one.problems) - SHOWN} other problems"
        sums = self.totals()
        if not sums["files"]:
            yield f"no FHIR files here (looked for {', '.join(ENDINGS)})"
            return
        verdicts = ", ".join(f"{sums[name]} {name}" for name in ("valid", "invalid", "unreadable"))
        yield f"{sums['files']} files, {sums['documents']} documents: {verdicts}"
        if sums["stored"]:
            yield f"{sums['identical']} of {sums['stored']} stored resources came back value-identical"


def check(paths: Sequence[Path | str], store_and_read: StoreAndRead | None = None, *, progress: Progress | None = None) -> Report:
    """Validate every document in the files and folders and, if a store is given, prove that it returns them unchanged.

    Valid documents are stored as they are; the resources in a Bundle also one by one. Only ``id`` and ``meta`` may differ.
    """
    registry = Registry.load()
    files = sorted({file for path in paths for file in files_in(Path(path))})
    report = Report()
    for done, file in enumerate(files, start=1):
        report.files.append(check_file(file, registry, store_and_read))
        if progress:
            progress(done, len(files))
    return report


def files_in(path: Path) -> Iterator[Path]:
    """The file itself, or all JSON and NDJSON files below a folder."""
    if not path.is_dir():
        yield path
        return
    yield from (one for one in path.rglob("*") if one.is_file() and one.name.endswith(ENDINGS))


def check_file(path: Path, registry: Registry, store_and_read: StoreAndRead | None) -> FileResult:
    """One file."""
    result = FileResult(str(path))
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError) as error:
        result.unreadable += 1
        result.problems[f"cannot be read: {type(error).__name__}"] += 1
        return result
    many = path.name.removesuffix(".gz").endswith(".ndjson")
    for number, text in enumerate(raw.splitlines() if many else [raw], start=1):
        if not many or text.strip():
            check_document(text, f"line {number}: " if many else "", result, registry, store_and_read)
    return result


def check_document(text: bytes, place: str, result: FileResult, registry: Registry, store_and_read: StoreAndRead | None) -> None:
    """One document of a file."""
    result.documents += 1
    try:
        document = loads(text)
    except Malformed as refusal:
        result.unreadable += 1
        result.problems[place + refusal.text] += 1
        return
    issues = validate(document, registry)
    result.warnings += sum(one.severity == "warning" for one in issues)
    wrong = [one for one in issues if one.severity in ("error", "fatal")]
    result.problems.update(map(worded, wrong))
    if wrong:
        result.invalid += 1
        return
    result.valid += 1
    for resource in with_entries(document):
        result.resources += 1
        if store_and_read:
            prove(resource, place, result, store_and_read)


def worded(issue: Issue) -> str:
    """An issue without the places in lists, so that equal problems are counted together."""
    bare = "".join(part.partition("]")[2] if number else part for number, part in enumerate((issue.path or "").split("[")))
    return f"{bare}: {issue.text}"


def with_entries(document: Resource) -> Iterator[Resource]:
    """The document, and what it holds if it is a Bundle."""
    yield document
    if document.get("resourceType") == "Bundle":
        for entry in document.get("entry", ()):
            if "resource" in entry:
                yield from with_entries(entry["resource"])


def prove(resource: Resource, place: str, result: FileResult, store_and_read: StoreAndRead) -> None:
    """Store and compare."""
    result.stored += 1
    try:
        back = store_and_read(resource)
    except Refusal as refusal:
        result.problems[f"{place}{resource['resourceType']} was refused by the store: {refusal.text}"] += 1
        return
    difference = differs(bare(resource), bare(back), resource["resourceType"])
    if difference:
        result.problems[f"{place}{difference} came back changed"] += 1
    else:
        result.identical += 1


def bare(resource: Resource) -> Resource:
    """The resource without what the server sets: id, meta.versionId, meta.lastUpdated."""
    kept = {key: value for key, value in resource.items() if key not in ("id", "meta")}
    meta = {key: value for key, value in resource.get("meta", {}).items() if key not in ("versionId", "lastUpdated")}
    return {**kept, "meta": meta} if meta else kept


def differs(one: Any, other: Any, path: str) -> str | None:
    """Path of the first difference of two JSON values; decimals must also be written alike."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in (*one, *other):
            if key not in one or key not in other:
                return f"{path}.{key}"
            if found := differs(one[key], other[key], f"{path}.{key}"):
                return found
        return None
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return path
        return next((found for at, pair in enumerate(zip(one, other, strict=True)) if (found := differs(*pair, f"{path}[{at}]"))), None)
    return None if written(one) == written(other) else path


def written(value: Any) -> tuple[str, Any]:
    """A scalar with its JSON kind: true is not 1, and 0.40 is not 0.4."""
    if isinstance(value, (Lexical, Decimal, float)) and not isinstance(value, bool):
        return "decimal", value.text if isinstance(value, Lexical) else str(value)
    return type(value).__name__, value
