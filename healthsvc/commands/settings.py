"""The settings in force, where each comes from, and the reference of all of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from healthsvc.commands.shape import Data, Json, out, show_json
from healthsvc.config import PREFIX, Settings, load, sources

HIDDEN: Final = "(set, not shown)"
_PASSWORD: Final = re.compile(r"(://[^:/@]*):[^@]*@")
_QUERY: Final = re.compile(r"((?:password|secret|token)=)[^&]*", re.IGNORECASE)
_TITLE: Final = """# 设置 · Settings

由 `healthsvc settings --reference` 生成，请勿手改。
Written by `healthsvc settings --reference`; do not edit.

Order of force: the command line, the environment (`HEALTHSVC_...`), `DATA/healthsvc.toml` (the name as in the first column), the default.
`healthsvc settings` prints what is in force and where each value comes from; secrets are never shown. Numbers that are policy are not
here: [policy](policy.md). A name in the file that is unknown, or a value that cannot be, stops the start with one sentence that names it; a
variable that is unknown sets nothing, and the doctor names it. Free text is taken as it stands, every other kind is looked at; blanks and
line ends around a value are no part of it, nor is a mark of UTF-8 at the beginning of the file (both come of editors of Windows).

| in healthsvc.toml | environment | kind | default | what it is |
| --- | --- | --- | --- | --- |
"""


def settings(
    data: Data = None,
    reference: Annotated[bool, typer.Option("--reference", help="Print the reference of all settings (Markdown) instead")] = False,
    json: Json = False,
) -> None:
    """Print the settings in force, where each comes from (command line, environment, file, default); secrets are not shown."""
    if reference:
        typer.echo(reference_text(), nl=False)
        return
    rows = list(effective(data))
    if json:
        show_json([{"name": name, "value": value, "from": source} for name, value, source in rows])
    else:
        wide = max(len(name) for name, _, _ in rows)
        for name, value, source in rows:
            out.print(f"{name:{wide}}  {value or '-'}  ({source})", markup=False)


def effective(data: Path | None) -> Iterator[tuple[str, str, str]]:
    """Name, value as it may be shown, and source of every setting."""
    held = load(data)
    came_from = sources(data)
    for name in Settings.model_fields:
        yield name, shown(name, getattr(held, name)), came_from[name]


def shown(name: str, value: Any) -> str:
    """A value as it may stand on a screen."""
    if value is None or not str(value):
        return ""
    if isinstance(value, SecretStr) or "secret" in name or "password" in name:
        return HIDDEN
    return _QUERY.sub(r"\1***", _PASSWORD.sub(r"\1:***@", str(value)))


def reference_text() -> str:
    """The reference of all settings, as it stands in the documents."""
    lines = [_TITLE]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is PydanticUndefined or not str(field.default) or field.default is None else f"`{field.default}`"
        bounds = [
            str(limit).partition("(")[2].rstrip(")").replace("gt=", "more than ").replace("ge=", "at least ").replace("le=", "at most ")
            for limit in field.metadata
            if "=" in str(limit)
        ]
        kind = _kind(field.annotation)
        if kind.startswith("text") and name not in _formed():
            kind = f"free {kind}"
        kind = f"{kind}{', ' + ', '.join(bounds) if bounds else ''}"
        told = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{name}` | `{PREFIX}{name.upper()}` | {kind} | {default} | {told} |\n")
    return "".join(lines)


def _formed() -> set[str]:
    """Settings whose text has a form that is looked at."""
    return {name for one in Settings.__pydantic_decorators__.field_validators.values() for name in one.info.fields}


def _kind(annotation: Any) -> str:
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path", "SecretStr": "text, secret"}
    parts = [part for part in getattr(annotation, "__args__", (annotation,)) if part is not type(None)]
    return " or ".join(names.get(getattr(part, "__name__", str(part)), str(part)) for part in parts)
