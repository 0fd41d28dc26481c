"""The dry run reads archives as folders, and says what it cannot open."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from integrations.hl7v2.check import check
from integrations.hl7v2.compare import compare
from integrations.hospitals.shelf import load

ONE = b"MSH|^~\\&|HIS|H1|C|C|20260302||ADT^A31|M1|P|2.4\rPID|1||C1^^^^IDCard||x\r"


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in files.items():
            archive.writestr(name.replace("__", "."), held)
    return path


def tarred(path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in ("a/1.hl7", "a/readme.md"):
            about = tarfile.TarInfo(name)
            about.size = len(ONE)
            archive.addfile(about, io.BytesIO(ONE))
    return path


def test_what_is_packed_is_read_like_what_is_not(tmp_path: Path) -> None:
    zipped(tmp_path / "old.zip", one__hl7=ONE, two__hl7=ONE + ONE, readme__md=b"no")
    tarred(tmp_path / "more.tgz")
    (tmp_path / "last.hl7.gz").write_bytes(gzip.compress(ONE))
    found = check([tmp_path])
    assert [(one.file, one.index) for one in found.messages] == [
        ("last.hl7", 1),
        ("more.tgz/a/1.hl7", 1),
        ("old.zip/one.hl7", 1),
        ("old.zip/two.hl7", 1),
        ("old.zip/two.hl7", 2),
    ]
    assert found.counts()["mapped"] == 5
    assert compare([tmp_path], load("default"), load("his-eai")).counts()["messages"] == 5
    assert check([tmp_path / "old.zip"]).files == 2


def test_a_name_that_chinese_windows_has_packed_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", aaaaaaaa__hl7=ONE)
    path.write_bytes(path.read_bytes().replace(b"aaaaaaaa", "门诊报文".encode("gbk")))
    assert check([path]).messages[0].file == "x.zip/门诊报文.hl7"


@pytest.mark.parametrize("name", ["broken.zip", "broken.tar.gz", "broken.hl7.gz", "sealed.rar", "sealed.7z"])
def test_what_cannot_be_opened_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 no archive at all")
    [told] = check([tmp_path]).messages
    assert (told.index, told.reason) == (0, "archive")
    assert "unpack" in told.remark or "damaged" in told.remark
    [change] = compare([tmp_path], load("default"), load("his-eai")).messages
    assert change.changes[0].what == "not read"


def test_a_damaged_file_in_an_archive_does_not_hide_the_others(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", a__hl7=ONE, b__hl7=ONE)
    held = bytearray(path.read_bytes())
    held[45] ^= 0xFF
    path.write_bytes(held)
    assert [(one.file, one.reason) for one in check([path]).messages] == [("x.zip/a.hl7", "archive"), ("x.zip/b.hl7", "")]
