"""A site's own files (TOML), however an editor has saved them."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic_settings import TomlConfigSettingsSource


def read(path: Path) -> dict[str, Any]:
    """What a file says. A mark of UTF-8 at its beginning, as editors of Windows set it, is no part of that.

    Raises:
        OSError: it cannot be read.
        tomllib.TOMLDecodeError, UnicodeDecodeError: it is no TOML, or not in UTF-8.
    """
    return tomllib.loads(path.read_bytes().decode("utf-8-sig"))


class SiteFile(TomlConfigSettingsSource):
    """Settings from DATA/healthsvc.toml."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        return read(Path(file_path))
