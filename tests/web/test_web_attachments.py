"""What a hospital has sent: its reports whole, and its files, opened from the line of time."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import SHOTS, Site, keep_shot, sign_in
from sqlalchemy import select
from test_web_browser import look
from test_web_forms import someone
from test_web_pages import sign_in as sign_in_plainly
from world import NAMES

from healthsvc import clock
from healthsvc.fhir.json import Lexical
from healthsvc.store import SYSTEM, Store
from healthsvc.store.audit import AUDIT
from healthsvc.visit.asking import ask

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
PDF = b"%PDF-1.4 synthetic"


@pytest.fixture
def doctor(client: httpx.Client) -> httpx.Client:
    sign_in_plainly(client, "doctor1")
    return client


def keep(store: Store, patient: str, name: str, files: list[tuple[str, str, bytes]], **more: object) -> None:
    """A report with files, as the hospital line writes it."""
    forms = []
    for turn, (media, title, body) in enumerate(files):
        data = {"contentType": media, "data": base64.b64encode(body).decode()}
        store.put({"resourceType": "Binary", "id": f"{name}-{turn}", "securityContext": {"reference": f"Patient/{patient}"}, **data})
        named = {"title": title} if title else {}
        forms.append({"contentType": media, "url": f"Binary/{name}-{turn}", "size": len(body), **named})
    subject = {"subject": {"reference": f"Patient/{patient}"}}
    if name.startswith("document"):
        about = {"type": {"text": "出院小结"}, "author": [{"display": "章示例"}], "date": "2026-03-02T09:00:00+08:00"}
        contents = {"content": [{"attachment": one} for one in forms or [{"title": "出院小结"}]]}
        store.put({"resourceType": "DocumentReference", "id": name, "status": "current", **about, **contents, **subject, **more})
        return
    taken = {"code": {"text": "胸部 X 线"}, "effectiveDateTime": "2026-03-01T09:00:00+08:00", "presentedForm": forms}
    store.put({"resourceType": "DiagnosticReport", "id": name, "status": "final", **taken, **subject, **more})


@pytest.fixture
def patient(doctor: httpx.Client, site: Site) -> Iterator[str]:
    with site.database.reading(SYSTEM, at=clock.now()) as store:
        if store.find("DiagnosticReport", "report-files"):
            yield store.read("DiagnosticReport", "report-files")["subject"]["reference"].partition("/")[2]
            return
    id = someone(doctor, NAMES[17])
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        files = [("application/pdf", "报告单", PDF), ("image/png", "影像截图", PNG), ("text/html", "", b"<script>alert(1)</script>")]
        keep(store, id, "report-files", files)
        keep(store, id, "document-files", [("text/plain", "", "康复回社区".encode("gb18030")), ("application/pdf", "原件", b"<html>")])
        keep(store, id, "document-told", [])
        keep(store, id, "document-void", [("application/pdf", "误发", PDF)], status="entered-in-error")
    yield id


def test_the_files_stand_on_the_line_of_time(doctor: httpx.Client, patient: str) -> None:
    page = doctor.get(f"/people/{patient}").text
    links = re.findall(r'<a class="file" href="([^"]+)" target="_blank" rel="noopener">', page)
    assert set(links) == {f"/attachments/DiagnosticReport/report-files/{n}" for n in (1, 2, 3)} | {
        f"/attachments/DocumentReference/document-files/{n}" for n in (1, 2)
    }
    for text in ("报告单", "出院小结", "章示例", "医院已告知，正文尚未送达", "已撤销"):
        assert text in page
    assert "误发" not in page
    assert "出院小结" in doctor.get(f"/people/{patient}/story?kind=hospital").text
    assert "报告单" not in doctor.get(f"/people/{patient}/story?kind=hospital").text


@pytest.mark.parametrize(
    ("path", "media", "way", "body"),
    [
        ("DiagnosticReport/report-files/1", "application/pdf", "inline; filename=\"report-2026-03-01-1.pdf\"", PDF),
        ("DiagnosticReport/report-files/2", "image/png", "inline; filename=\"report-2026-03-01-2.png\"", PNG),
        ("DiagnosticReport/report-files/3", "application/octet-stream", "attachment; filename=\"report-2026-03-01-3.html\"", None),
        ("DocumentReference/document-files/1", "text/plain; charset=utf-8", "inline; filename=\"document-2026-03-02-1.txt\"",
         "康复回社区".encode()),
        ("DocumentReference/document-files/2", "application/octet-stream", "attachment; filename=\"document-2026-03-02-2.pdf\"", b"<html>"),
    ],
)  # fmt: skip
def test_a_file_is_fenced_off_and_nothing_but_itself_is_shown(
    doctor: httpx.Client, patient: str, path: str, media: str, way: str, body: bytes | None
) -> None:
    answer = doctor.get(f"/attachments/{path}")
    assert (answer.status_code, answer.headers["content-type"], answer.headers["content-disposition"]) == (200, media, way)
    assert body is None or answer.content == body
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert policy.startswith("sandbox") or media == "application/pdf"
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")


def test_each_look_is_audited_and_only_who_may_see_the_person_looks(doctor: httpx.Client, patient: str, site: Site) -> None:
    doctor.get("/attachments/DiagnosticReport/report-files/1")
    site.database.reads.flush()
    with site.database.reading(SYSTEM, at=clock.now()) as store:
        looks = store.connection.execute(
            select(AUDIT.c.purpose, AUDIT.c.patient).where(AUDIT.c.subject == "DiagnosticReport/report-files")
        ).all()
    assert ("attachment", patient) in {tuple(one) for one in looks}
    sign_in_plainly(doctor, "auditor1")
    assert doctor.get("/attachments/DiagnosticReport/report-files/1").status_code == 403
    doctor.cookies.clear()
    assert doctor.get("/attachments/DiagnosticReport/report-files/1").status_code == 303


def test_what_was_taken_back_or_never_came_is_not_given_out(doctor: httpx.Client, patient: str) -> None:
    for path in ("DocumentReference/document-void/1", "DocumentReference/document-told/1", "DiagnosticReport/report-files/9"):
        answer = doctor.get(f"/attachments/{path}")
        assert answer.status_code == 404
        assert "没有这个附件" in answer.text
    assert doctor.get("/attachments/Patient/x/1").status_code in (400, 422)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_line_with_files_is_fit_to_be_seen(chromium: Any, doctor: httpx.Client, patient: str, site: Site, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, locale="zh-CN")
    sign_in(page, site.url, "doctor1")
    page.goto(f"{site.url}/people/{patient}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    keep_shot(page.locator("#story-sheet"), SHOTS / f"attachments-{width}.png")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=re.compile("影像截图")).click()
    shown = opened.value
    shown.wait_for_url(re.compile("/attachments/"))  # it opens as an empty page; nothing is asked of that, which may never answer
    shown.locator("img").wait_for()
    shown.close()
    page.close()


def result(patient: str, id: str, value: str, on: str, **more: object) -> dict[str, object]:
    """A potassium, as the hospital line writes it."""
    code = {"code": {"coding": [{"system": "urn:test:lab", "code": "K"}], "text": "血钾"}, "subject": {"reference": f"Patient/{patient}"}}
    known = {"resourceType": "Observation", "id": id, "status": "final", "effectiveDateTime": f"{on}T08:00:00+08:00", **code}
    bounds = {"referenceRange": [{"low": {"value": Lexical("3.5")}, "high": {"value": Lexical("5.3")}}]}
    return known | {"valueQuantity": {"value": Lexical(value), "unit": "mmol/L"}} | bounds | more


@pytest.fixture
def reported(patient: str, site: Site) -> str:
    """Three potassiums, the last critical, corrected and followed up; the report of another time was taken back."""
    flag = {"interpretation": [{"coding": [{"code": "HH"}]}], "note": [{"text": "标本无溶血"}]}
    report = {"code": {"text": "电解质"}, "subject": {"reference": f"Patient/{patient}"}, "resourceType": "DiagnosticReport"}
    with site.database.reading(SYSTEM, at=clock.now()) as store:
        if store.find("DiagnosticReport", "report-whole"):
            return patient
    said = ({"id": "report-whole", "conclusion": "初步：高钾", "status": "preliminary"}, {"conclusion": "高钾血症", "status": "corrected"})
    for turn, value in enumerate(("6.3", "6.9")):
        with site.database.writing(SYSTEM, at=clock.now()) as store:
            if not turn:
                for id, earlier, on in (("k-1", "4.1", "2026-01-01"), ("k-2", "5.9", "2026-02-01"), ("k-9", "2.22", "2026-04-01")):
                    store.put(result(patient, id, earlier, on))
                store.put(result(patient, "k-void", "8.88", "2026-02-02", status="entered-in-error"))
            store.put(result(patient, "k-3", value, "2026-03-01", **flag, status="corrected" if turn else "preliminary"))
            grave = {"interpretation": [{"coding": [{"code": "HU"}]}], "code": {"text": "血糖"}}
            store.put(result(patient, "k-5", "12.34", "2026-03-01", **grave))
            lost = result(patient, "k-4", "7.77", "2026-03-01", status="entered-in-error" if turn else "final")
            store.put(lost)
            told = report | said[0] | said[turn] | {"effectiveDateTime": "2026-03-01T08:00:00+08:00", "issued": "2026-03-01T10:00:00+08:00"}
            named = [{"reference": f"Observation/{one}"} for one in ("k-3", "k-4", "k-5")]
            store.put(told | {"category": [{"coding": [{"code": "CH"}]}], "performer": [{"display": "澜湾医院检验科"}], "result": named})
            gone = report | {"id": "report-gone", "conclusion": "他人的结论", "result": [{"reference": "Observation/k-void"}]}
            store.put(gone | {"status": "entered-in-error" if turn else "final"})
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        ask(store, patient, "follow-up", "report-whole", clock.now(), 1, type="DiagnosticReport", key="report-whole")
    return patient


def test_a_report_is_read_whole(doctor: httpx.Client, reported: str, site: Site) -> None:
    page = re.sub(r"\s+", " ", doctor.get("/reports/report-whole").text)
    for text in ("电解质", "已更正", "危急值", "6.9 mmol/L ↑", "3.5–5.3", "更正前 6.3 mmol/L", "标本无溶血", "高钾血症", "澜湾医院检验科",
                 "生化", "当时的结论：初步：高钾", "因此安排的上门"):  # fmt: skip
        assert text in page
    assert "12.34 mmol/L ↑" in page
    assert page.count('<span class="chip red">危急值</span>') == 1, "HU is significant, not critical: table 0078"
    assert page.index("5.9 mmol/L") < page.index("4.1 mmol/L"), "what it was before, the latest first"
    for text in ("2.22", "8.88", "7.77"):
        assert text not in page, "later, withdrawn, and taken back in this very report"
    assert f'href="/people/{reported}"' in page
    visit = re.search(r'href="(/visits/[^"]+)"', page)
    assert visit is not None
    assert 'href="/reports/report-whole"' in doctor.get(visit[1]).text
    line = doctor.get(f"/people/{reported}/story?kind=result").text
    assert 'href="/reports/report-whole"' in line
    assert 'href="/attachments/DiagnosticReport/report-files/1"' in doctor.get("/reports/report-files").text
    site.database.reads.flush()
    with site.database.reading(SYSTEM, at=clock.now()) as store:
        looks = store.connection.execute(select(AUDIT.c.patient).where(AUDIT.c.purpose == "report")).scalars().all()
    assert set(looks) == {reported}


def test_what_was_called_off_is_no_longer_planned(doctor: httpx.Client, patient: str, site: Site) -> None:
    stay = {"resourceType": "Encounter", "id": "called-off", "class": {"code": "HH"}, "subject": {"reference": f"Patient/{patient}"}}
    ahead = {"period": {"start": "2066-01-02T09:00:00+08:00"}, "type": [{"text": "康复指导"}]}
    for status, planned in (("planned", True), ("cancelled", False)):
        with site.database.writing(SYSTEM, at=clock.now()) as store:
            store.put(stay | ahead | {"status": status})
        line = doctor.get(f"/people/{patient}/story?kind=visit").text
        event = line[line.index("康复指导") :].partition("</h3>")[0]
        assert ('<span class="chip">计划</span>' in event) == planned


def test_a_report_that_was_taken_back_says_so_and_nothing_of_what_it_said(doctor: httpx.Client, reported: str) -> None:
    page = doctor.get("/reports/report-gone").text
    assert "这份报告已被撤销" in page
    assert "他人的结论" not in page
    assert "8.88" not in page
    assert doctor.get("/reports/never").status_code == 404
    sign_in_plainly(doctor, "auditor1")
    assert doctor.get("/reports/report-whole").status_code == 403


@pytest.mark.parametrize("width", [1280, 390])
def test_a_report_is_fit_to_be_seen(chromium: Any, reported: str, site: Site, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, locale="zh-CN")
    page.keeps_pictures = False
    sign_in(page, site.url, "doctor1")
    page.goto(f"{site.url}/reports/report-whole")
    look(page, "report")
    page.close()
