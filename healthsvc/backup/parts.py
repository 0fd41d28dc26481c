"""Parts of a backup: written once, hashed while they are written, closed to a public key where the site has one."""

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

import pyrage

from healthsvc.backup.manifest import Manifest, Part
from healthsvc.errors import Invalid, Unavailable

BLOCK: Final = 1 << 20
_SEALED: Final = ".age"
_PRIVATE: Final = 0o600


class _Hashing(io.RawIOBase):
    """Writes through to a file and hashes what passes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.count = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, block: Any) -> int:
        """One block."""
        self.digest.update(block)
        self.count += len(block)
        return self._file.write(block)


def recipient(text: str) -> pyrage.x25519.Recipient:
    """The public key (age1...) to which backups are closed.

    Raises:
        Invalid: it is none.
    """
    try:
        return pyrage.x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise Invalid("backup_recipient is no public key of age (age1...); make a pair with `age-keygen`") from None


def identity(path: Path) -> pyrage.x25519.Identity:
    """The private key that opens, from a file as ``age-keygen`` writes it.

    Raises:
        Invalid, Unavailable: the file holds none, or cannot be read.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        return pyrage.x25519.Identity.from_str(next(line for line in lines if line and not line.startswith("#")))
    except OSError as error:
        raise Unavailable(f"the identity cannot be read: {error.strerror}") from None
    except (StopIteration, pyrage.IdentityError, UnicodeDecodeError):
        raise Invalid("the identity file holds no private key of age (AGE-SECRET-KEY-1...)") from None


def write(folder: Path, name: str, holds: str, blocks: Iterable[bytes], to: pyrage.x25519.Recipient | None) -> Part:
    """Write one part from its blocks; memory stays bounded whatever its size. It is on the disk when this returns."""
    name += _SEALED if to else ""
    with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
        hashing = _Hashing(file)
        if to is None:
            for block in blocks:
                hashing.write(block)
        else:
            pyrage.encrypt_io(_Reading(blocks), hashing, [to])
        file.flush()
        os.fsync(file.fileno())
    return Part(name, holds, hashing.count, hashing.digest.hexdigest(), to is not None)


class _Reading(io.RawIOBase):
    """Blocks as a file to read from."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._left = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, into: Any) -> int:
        """Fill a buffer as far as the present block goes."""
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._left = bytes(block)
        count = min(len(into), len(self._left))
        into[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def blocks_of(path: Path) -> Iterator[bytes]:
    """A file, block by block."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def check(folder: Path, manifest: Manifest) -> None:
    """Refuse a backup of which a part is missing, cut short or changed.

    Raises:
        Invalid: which part, and what is wrong with it.
    """
    for part in manifest.parts:
        path = folder / part.name
        if not path.is_file():
            raise Invalid(f"{part.name} is missing; a backup is whole or useless: take another one", reason="backup-part-missing")
        digest, count = hashlib.sha256(), 0
        for block in blocks_of(path):
            digest.update(block)
            count += len(block)
        if (count, digest.hexdigest()) != (part.bytes, part.sha256):
            what = f"has {count} bytes instead of {part.bytes}" if count != part.bytes else "was changed: its SHA-256 is another"
            raise Invalid(f"{part.name} {what}; take another backup", reason="backup-part-changed")


@contextmanager
def opened(folder: Path, part: Part, key: pyrage.x25519.Identity | None) -> Iterator[IO[bytes]]:
    """The content of a part as a file to read from, whoever it was closed to.

    Raises:
        Invalid: it is closed and no fitting identity was given.
    """
    with (folder / part.name).open("rb") as file:
        if not part.encrypted:
            yield file
            return
        if key is None:
            raise Invalid(f"{part.name} is closed: give the private key with --identity FILE")
        read, write = os.pipe()
        failed: list[BaseException] = []

        def decrypt() -> None:
            with os.fdopen(write, "wb") as into:
                try:
                    pyrage.decrypt_io(file, into, [key])
                except BrokenPipeError:
                    return  # the reader has had enough
                except (pyrage.DecryptError, OSError) as error:
                    failed.append(error)

        thread = threading.Thread(target=decrypt, name="backup-open", daemon=True)
        thread.start()
        with os.fdopen(read, "rb") as source:
            yield source
        thread.join()
        if failed:
            raise Invalid(f"{part.name} was not closed to this identity, or was damaged")


def pack(entries: Iterable[tuple[str, Path]], into: Path) -> Path:
    """Files as one tar archive, each under its name; one that has gone meanwhile (a settled alarm) is not in it."""
    with tarfile.open(into, mode="w:gz", compresslevel=6) as tar:
        for name, path in entries:
            try:
                with path.open("rb") as file:
                    entry = tar.gettarinfo(arcname=name, fileobj=file)
                    entry.uid = entry.gid = 0
                    entry.uname = entry.gname = ""
                    tar.addfile(entry, file)
            except FileNotFoundError:
                continue
    return into


def unpack(source: IO[bytes], into: Path) -> list[str]:
    """Put an archive's files into a folder; nothing leads out of it. Gives their names.

    Raises:
        Invalid: it is no such archive, or one of its files would lie elsewhere.
    """
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = []
    try:
        # not by tarfile's own "r|gz", which looks at no checksum: a key with a flipped bit would come back as a key
        with gzip.GzipFile(fileobj=source) as plain:
            with tarfile.open(fileobj=plain, mode="r|") as tar:
                for entry in tar:
                    _put(tar, entry, into)
                    names.append(entry.name)
            while plain.read(BLOCK):  # to the end, where the checksum stands
                pass
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise Invalid(f"an archive of the backup cannot be unpacked: {type(error).__name__}; take another backup") from None
    return names


def _put(tar: tarfile.TarFile, entry: tarfile.TarInfo, into: Path) -> None:
    """One file of an archive; not by ``tar.extract``, whose filters Python 3.11.2 (Debian 12) does not have yet."""
    way = PurePosixPath(entry.name)
    file = tar.extractfile(entry) if entry.isreg() else None  # `pack` writes nothing but files
    if file is None or way.is_absolute() or ".." in way.parts or not way.parts:
        raise tarfile.ExtractError(entry.name)
    folder = into
    for part in way.parts[:-1]:
        folder /= part
        folder.mkdir(exist_ok=True, mode=0o700)
    path = folder / way.name
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with file, os.fdopen(os.open(path, flags, entry.mode & 0o755 | _PRIVATE), "wb") as target:
        shutil.copyfileobj(file, target, BLOCK)
    os.utime(path, (entry.mtime, entry.mtime))
