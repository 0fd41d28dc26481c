"""A wheelhouse: everything that an installation in a closed network needs, in one folder, each file with its hash."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from healthsvc.errors import Conflict, Invalid, Unavailable

LOCK: Final = Path(__file__).parent / "runtime.lock"
"""What the service itself needs, pinned with hashes: the part of requirements.lock without development's tools."""
_INSTALL: Final = Path(__file__).parent / "files" / "install.sh"
_BLOCK: Final = 1 << 20


def plan(out: Path, source: Path, platforms: Sequence[str] = ()) -> list[list[str]]:
    """The commands that fill a wheelhouse, in their order.

    Args:
        source: the source tree, whose page assets and fonts have been fetched (``make setup``).
        platforms: platform tags of the target machine (manylinux_2_28_aarch64); empty: like this one.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    wanted = [word for tag in platforms for word in ("--platform", tag)] + (["--python-version", "3.11"] if platforms else [])
    binary = ["--only-binary=:all:"] if platforms else ["--prefer-binary"]
    wheels = str(out / "wheels")
    return [
        [*pip, "download", "--quiet", "--require-hashes", "--no-deps", *binary, *wanted, "-r", str(LOCK), "-d", wheels],
        [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", wheels, str(source)],
    ]


def make(out: Path, source: Path, platforms: Sequence[str] = ()) -> list[str]:
    """Fill a new folder; gives the names of its files.

    Raises:
        Conflict: the folder holds something. Invalid: the source tree lacks something. Unavailable: a command failed.
    """
    if out.exists() and any(out.iterdir()):
        raise Conflict(f"{out} is not empty; name a new folder")
    if not (source / "pyproject.toml").is_file():
        raise Invalid(f"{source} is no source tree of healthsvc; name one with --source")
    lacking = [name for name in ("web/static/vendor", "documents/fonts") if not any((source / "healthsvc" / name).glob("*"))]
    if lacking:
        raise Invalid(f"healthsvc/{' and healthsvc/'.join(lacking)} not there: run `make setup` in {source} first")
    (out / "wheels").mkdir(parents=True)
    for words in plan(out, source, platforms):
        done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own words
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise Unavailable(f"pip {words[words.index('-m') + 4]} failed: {last[:300]}")
    ours = next((out / "wheels").glob("healthsvc-*.whl"))
    version = ours.name.split("-")[1]
    lock = LOCK.read_text(encoding="utf-8")
    (out / "requirements.lock").write_text(
        f"{lock.rstrip()}\nhealthsvc=={version} \\\n    --hash=sha256:{sha256(ours)}\n", encoding="utf-8"
    )
    shutil.copy(_INSTALL, out / "install.sh")
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    (out / "SHA256SUMS").write_text("".join(f"{sha256(out / name)}  {name}\n" for name in names), encoding="utf-8")
    return names


def locked(text: str) -> Iterator[tuple[str, str]]:
    """Name and version of each package in a lock file."""
    for line in text.splitlines():
        if "==" in line and not line.startswith((" ", "#")):
            name, _, version = line.partition("==")
            yield name.strip(), version.split()[0].rstrip("\\").strip()


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
