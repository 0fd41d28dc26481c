"""Frozen documents: PDF/A with its font inside, sealed by a key outside the database, changed by nobody, every change found."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from joserfc import jws
from joserfc.jwk import KeySet
from roomserver import room_client
from sqlalchemy import text

from healthsvc.documents import (
    Code,
    Document,
    Drawing,
    Fields,
    Paragraph,
    Section,
    Signature,
    Signatures,
    Table,
    freeze,
    frozen_of,
    service,
    supersede,
    unprintable,
    verify,
)
from healthsvc.documents.endpoints import router
from healthsvc.documents.keys import Keyring, rotate
from healthsvc.documents.render import to_pdf
from healthsvc.documents.resources import seal_of
from healthsvc.errors import Conflict, Invalid, KeysLost, RuleViolation, Unavailable
from healthsvc.fhir.json import dumps, loads
from healthsvc.store import SYSTEM, Database, Store

NOW = datetime(2026, 11, 28, 2, tzinfo=UTC)
STROKES = Drawing(300, 100, (((10, 10), (50, 80), (120, 20)), ((200, 50),)))


def document(name: str = "张㛃", copies: tuple[str, ...] = ()) -> Document:
    signed = Signatures((Signature("甲方", name, "屏幕手写", "2026-11-28 10:00", STROKES), Signature("乙方")))
    return Document(
        "家庭医生签约服务协议",
        (
            Section("甲方", (Fields((("姓名", name), ("住址", ""))),)),
            Section("约定", (Paragraph("第一条\n#第二条 *不是* $标记$"), Table(("项目", "次数"), (("每季上门体检", "4"),)))),
            Section("签字", (signed, Code("https://example.org/c/abc", "核验"))),
        ),
        NOW,
        issuer="示范社区卫生服务中心",
        number="QY-1",
        copies=copies,
    )


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with database.writing(SYSTEM, at=NOW) as opened:
        opened.put({"resourceType": "Patient", "id": "p1", "name": [{"text": "测试甲"}]})
        yield opened


def fonts_of(pdf: pikepdf.Pdf) -> list[Any]:
    return [one for one in pdf.objects if isinstance(one, pikepdf.Dictionary) and one.get("/Type") == "/FontDescriptor"]


def test_it_is_pdf_a_with_its_fonts_inside() -> None:
    content = to_pdf(document(copies=("居民留存", "中心留存", "医院留存")))
    with pikepdf.open(BytesIO(content)) as pdf:
        with pdf.open_metadata() as meta:
            assert (meta["pdfaid:part"], meta["pdfaid:conformance"]) == ("2", "B")
            assert meta["dc:title"] == "家庭医生签约服务协议"
        assert pdf.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert str(pdf.Root.Lang) == "zh-CN"
        assert "/AcroForm" not in pdf.Root
        assert "/Encrypt" not in pdf.trailer
        assert len(pdf.pages) == 3
        fonts = fonts_of(pdf)
        assert fonts
        assert all("/FontFile2" in one or "/FontFile3" in one for one in fonts)
        assert all("+NotoSansSC" in str(one.FontName) for one in fonts), "only ours, and only the characters that are used"
    assert len(content) < 100_000


def test_the_same_document_gives_the_same_bytes() -> None:
    assert to_pdf(document()) == to_pdf(document())
    assert to_pdf(document()) != to_pdf(document("张甲"))


def test_a_rare_character_is_printed_or_named_and_never_replaced(store: Store) -> None:
    assert unprintable("张㛃、李𬭎、王䶮") == ()
    assert unprintable("吉\u200b𠮷\ufe0f") == ("𠮷",)
    frozen = freeze(store, document("王𠮷"), kind="contract", patient="p1")
    assert frozen.lacking == ("𠮷",)
    assert "U+20BB7" in frozen.reference["description"]
    assert freeze(store, document("王䶮"), kind="contract", patient="p1").lacking == ()


@pytest.mark.parametrize(
    "strokes", [(), (((1, 1),),), (((1, 1), (400, 1)),), tuple(((1, 1), (2, 2)) for _ in range(2501))], ids=["none", "dot", "out", "many"]
)
def test_what_no_hand_has_drawn_is_refused(strokes: Any) -> None:
    with pytest.raises(Invalid):
        Drawing(300, 100, strokes)


def test_a_drawing_survives_svg_and_a_foreign_one_is_not_read() -> None:
    assert Drawing.of_svg(STROKES.svg()) == Drawing(300, 100, (STROKES.strokes[0], ((200, 50), (200, 50))))
    assert Drawing.of_svg('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>') is None


def test_a_frozen_document_is_found_and_is_what_was_sealed(store: Store) -> None:
    frozen = freeze(store, document(), kind="contract", patient="p1", about="Contract/c1")
    assert [one["id"] for one in frozen_of(store, "Contract/c1", "contract")] == [frozen.id]
    assert frozen_of(store, "Contract/c1", "contact-card") == []
    verdict = verify(store, frozen.id)
    assert verdict.intact
    assert (verdict.sha256, verdict.sealed) == (frozen.sha256, int(NOW.timestamp()))
    assert service.pdf_of(store, frozen.id)[0] == frozen.content


def test_the_seal_can_be_checked_with_any_jose_library(store: Store) -> None:
    frozen = freeze(store, document(), kind="contract", patient="p1")
    keys = KeySet.import_key_set(service.keyring(store).public())
    registry = jws.JWSRegistry(strict_check_header=False)
    read = jws.deserialize_compact(seal_of(frozen.reference), keys, payload=frozen.content, registry=registry)
    assert read.headers()["jti"] == f"DocumentReference/{frozen.id}"
    assert ".." in seal_of(frozen.reference), "detached: the document is not in it"


def test_a_later_one_takes_its_place(store: Store) -> None:
    first = freeze(store, document(), kind="contact-card", patient="p1", about="Patient/p1")
    second = freeze(store, document("张乙"), kind="contact-card", patient="p1", about="Patient/p1", replaces=first.id)
    assert store.read("DocumentReference", first.id)["status"] == "superseded"
    assert second.reference["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{first.id}"
    assert verify(store, first.id).intact
    assert supersede(store, first.id)["status"] == "superseded"


@pytest.mark.parametrize(
    "change",
    [
        {"date": "2026-11-27T00:00:00Z"},
        {"status": "entered-in-error", "subject": {"reference": "Patient/p2"}},
        {"extension": None, "meta": None},
        {"identifier": [{"value": "x"}]},
        {"description": "x"},
        {"author": [{"reference": "Practitioner/x"}]},
    ],
    ids=["date", "subject", "seal", "sha256", "description", "author"],
)
def test_what_it_says_is_not_changed(store: Store, change: dict[str, Any]) -> None:
    frozen = freeze(store, document(), kind="contract", patient="p1")
    with pytest.raises(RuleViolation) as refused:
        store.put({key: value for key, value in (frozen.reference | change).items() if value is not None})
    assert refused.value.reason == "document-frozen"


def test_it_is_not_deleted_nor_its_bytes_touched(store: Store) -> None:
    frozen = freeze(store, document(), kind="contract", patient="p1")
    binary = store.read("Binary", f"{frozen.id}-pdf")
    for attempt in (
        lambda: store.delete("DocumentReference", frozen.id),
        lambda: store.delete("Binary", binary["id"]),
        lambda: store.put(binary | {"data": "AAAA"}),
        lambda: store.put(supersede(store, frozen.id) | {"status": "current"}),
    ):
        with pytest.raises(RuleViolation) as refused:
            attempt()
        assert refused.value.reason == "document-frozen"
    assert store.put(store.read("DocumentReference", frozen.id) | {"status": "entered-in-error"})["status"] == "entered-in-error"


def test_a_forged_document_is_refused(store: Store) -> None:
    frozen = freeze(store, document(), kind="contract", patient="p1")
    with pytest.raises(RuleViolation) as refused:
        store.put(frozen.reference | {"id": "copy"})
    assert refused.value.reason == "document-seal"
    store.put({"resourceType": "Binary", "id": "mine", "contentType": "application/pdf", "data": "AAAA"})
    forged = json.loads(dumps(frozen.reference | {"id": "forged"}))
    forged["content"][0]["attachment"]["url"] = "Binary/mine"
    with pytest.raises(RuleViolation):
        store.put(forged)


def test_two_documents_do_not_share_their_bytes(store: Store) -> None:
    frozen = freeze(store, document(), kind="contract", patient="p1")
    assert store.holder(f"frozen:{frozen.id}-pdf") == f"DocumentReference/{frozen.id}"
    with pytest.raises(Conflict):
        store.claim(f"frozen:{frozen.id}-pdf", "DocumentReference/other")


def tampered(database: Database, type: str, id: str, change: dict[str, Any]) -> None:
    """Somebody writes into the database itself, past every door."""
    with database.engine.connect() as connection, connection.begin():
        pk, version, body = connection.execute(
            text("SELECT r.pk, r.version, r.body FROM resource r JOIN term t ON t.id = r.type WHERE t.text = :type AND r.id = :id"),
            {"type": type, "id": id},
        ).one()
        changed = dumps(loads(database.sealer.open_body(type, id, version, body)) | change)
        connection.execute(text("UPDATE resource SET body = :body WHERE pk = :pk"), {"body": changed, "pk": pk})


@pytest.mark.parametrize(
    ("type", "change", "said"),
    [
        ("Binary", {"data": "JVBERi0="}, "SHA-256"),
        ("Binary", {"data": "?"}, "not there"),
        ("DocumentReference", {"date": "2020-01-01T00:00:00Z"}, "has been changed"),
        ("DocumentReference", {"subject": {"reference": "Patient/p2"}}, "has been changed"),
        ("DocumentReference", {"identifier": []}, "SHA-256"),
    ],
)
def test_a_change_past_every_door_is_found(database: Database, type: str, change: dict[str, Any], said: str) -> None:
    with database.writing(SYSTEM, at=NOW) as store:
        frozen = freeze(store, document(), kind="contract", patient="p1")
    tampered(database, type, frozen.id + ("-pdf" if type == "Binary" else ""), change)
    with database.reading(SYSTEM, at=NOW) as store:
        verdict = verify(store, frozen.id)
        assert not verdict.intact
        assert any(said in finding for finding in verdict.findings), verdict
        assert [one.intact for one in service.verify_all(store)] == [False]


def test_the_key_lies_outside_the_database_for_the_service_alone(database: Database) -> None:
    with database.writing(SYSTEM, at=NOW) as store:
        freeze(store, document(), kind="contract", patient="p1")
    assert database.signing_keys is not None
    (key,) = database.signing_keys.iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "d" not in Keyring.of(database.signing_keys, NOW).public()["keys"][0]


def test_of_two_processes_that_start_at_once_both_take_the_first_key(tmp_path: Path) -> None:
    code = f"""
from datetime import datetime, UTC; from pathlib import Path; from healthsvc.documents.keys import Keyring
print(Keyring.of(Path({str(tmp_path / "keys")!r}), datetime.now(UTC)).public()["keys"][0]["kid"])"""
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    kids = {one.communicate(timeout=60)[0].strip() for one in started}
    assert len(kids) == 1
    assert kids != {""}
    assert len(list((tmp_path / "keys").iterdir())) == 1


def test_after_a_rotation_the_new_key_seals_and_the_old_one_verifies(database: Database) -> None:
    assert database.signing_keys is not None
    with database.writing(SYSTEM, at=NOW) as store:
        old = freeze(store, document(), kind="contract", patient="p1")
    kid = rotate(database.signing_keys, NOW.replace(year=2027))
    first = database.signing_keys / "first.json"
    struck = json.loads(first.read_text())
    del struck["d"]
    first.write_text(json.dumps(struck))
    os.utime(database.signing_keys)
    with database.writing(SYSTEM, at=NOW.replace(year=2027)) as store:
        new = freeze(store, document(), kind="contract", patient="p1")
        assert verify(store, old.id).intact
        assert (verify(store, new.id).kid, verify(store, old.id).kid == kid) == (kid, False)
    first.unlink()
    os.utime(database.signing_keys)
    with database.reading(SYSTEM, at=NOW) as store:
        assert "the seal is not one of our keys" in verify(store, old.id).findings[0]


def test_where_all_keys_are_gone_no_new_one_takes_their_place(database: Database) -> None:
    folder = database.signing_keys
    assert folder is not None
    service.must_have_keys(database)
    with database.writing(SYSTEM, at=NOW) as store:
        old = freeze(store, document(), kind="contract", patient="p1")
    folder.rename(folder.with_name("away"))
    for use in (
        lambda store: service.must_have_keys(database),
        lambda store: freeze(store, document(), kind="contract", patient="p1"),
        lambda store: verify(store, old.id),
    ):
        with pytest.raises(KeysLost, match="back from its backup"), database.writing(SYSTEM, at=NOW) as store:
            use(store)
    assert not folder.exists()
    rotate(folder, NOW)
    service.must_have_keys(database)
    with database.writing(SYSTEM, at=NOW) as store:
        assert verify(store, freeze(store, document(), kind="contract", patient="p1").id).intact
        assert not verify(store, old.id).intact


def test_without_a_folder_of_keys_nothing_is_frozen(store: Store) -> None:
    store.database.signing_keys = None
    with pytest.raises(Unavailable):
        freeze(store, document(), kind="contract", patient="p1")
    assert store.select("DocumentReference") == []


def test_over_http(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=NOW) as store:
        frozen = freeze(store, document(), kind="contract", patient="p1")
    with room_client(database, tmp_path, router) as client:
        pdf = client.get(f"/api/documents/{frozen.id}/pdf")
        assert (pdf.headers["content-type"], pdf.content) == ("application/pdf", frozen.content)
        assert client.get(f"/api/documents/{frozen.id}/verify").json()["intact"] is True
        assert client.post("/api/documents/known", files={"file": frozen.content}).json()["id"] == frozen.id
        assert client.post("/api/documents/known", files={"file": frozen.content[:-1]}).status_code == 404
        assert client.get("/api/documents/none/verify").status_code == 404
        keys = client.get("/api/documents/keys", headers={"authorization": ""}).json()["keys"]
        assert [set(one) & {"d", "kid"} for one in keys] == [{"kid"}]


def test_the_command_finds_what_was_changed(database: Database, tmp_path: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "healthsvc.main", "documents", *arguments, "--data", str(tmp_path)]
        return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)

    with database.writing(SYSTEM, at=NOW) as store:
        frozen = freeze(store, document(), kind="contract", patient="p1")
    fine = command("verify")
    assert (fine.returncode, fine.stdout.strip()) == (0, "1 documents, 1 as they were sealed")
    tampered(database, "DocumentReference", frozen.id, {"docStatus": "preliminary"})
    found = command("verify", frozen.id)
    assert found.returncode == 1
    assert "has been changed" in found.stderr


@pytest.mark.long
def test_verapdf_says_so(tmp_path: Path) -> None:
    """The reference validator of PDF/A, from Maven Central; needs Java and Maven."""
    (tmp_path / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId>'
        "<version>1</version><dependencies><dependency><groupId>org.verapdf</groupId><artifactId>validation-model</artifactId>"
        "<version>1.26.1</version></dependency></dependencies></project>"
    )
    (tmp_path / "V.java").write_text(
        """import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider; import org.verapdf.pdfa.*;
        import org.verapdf.pdfa.flavours.*; import java.io.*;
        public class V { public static void main(String[] a) throws Exception { VeraGreenfieldFoundryProvider.initialise();
        for (String f : a) try (PDFAParser p = Foundries.defaultInstance().createParser(new FileInputStream(f), PDFAFlavour.PDFA_2_B))
        { System.out.println(Foundries.defaultInstance().createValidator(PDFAFlavour.PDFA_2_B, false).validate(p).isCompliant()); } } }"""
    )
    plain, copies = tmp_path / "plain.pdf", tmp_path / "copies.pdf"
    plain.write_bytes(to_pdf(document("王𠮷")))
    copies.write_bytes(to_pdf(document(copies=("一", "二", "三"))))
    for words in (["mvn", "-q", "dependency:copy-dependencies", "-DoutputDirectory=lib"], ["javac", "-cp", "lib/*", "V.java"]):
        subprocess.run(words, cwd=tmp_path, check=True, timeout=280)
    said = subprocess.run(["java", "-cp", "lib/*:.", "V", plain, copies], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert said.stdout.split() == ["true", "true"]
