"""The agreement of a home bed is read, signed on the screen by both sides with their own hands, frozen, and kept as it was given."""

import json

import pytest
from test_web_beds import AGREED, ASSESSED, AT, Desk, desk  # noqa: F401 - the fixture

from healthsvc.errors import RuleViolation
from healthsvc.homebed import service
from healthsvc.homebed.signing import Side, hands_of
from healthsvc.store import SYSTEM

HAND = json.dumps({"width": 300, "height": 120, "strokes": [[[10, 20], [60, 80], [110, 20]], [[150, 30], [200, 90]]]})
OTHER = json.dumps({"width": 300, "height": 120, "strokes": [[[20, 90], [80, 20], [140, 90]]]})
SIGNED = AGREED | {"signature": "drawn", "signer": "guardian", "signer_name": "测试丁", "drawing_person": HAND, "drawing_doctor": OTHER}


def test_both_sides_sign_on_the_screen(desk: Desk) -> None:  # noqa: F811
    way = f"/people/{desk.patient}/bed"
    assert desk.press(f"{way}/assess", **ASSESSED).status_code == 303
    unread = desk.press(f"{way}/agreement.pdf", **AGREED)
    assert unread.content.startswith(b"%PDF-")
    for change, why in (
        ({"drawing_doctor": ""}, "请先在框内签名"),
        ({"signer_name": ""}, "请填写签字人姓名"),
        ({"doctor": "Practitioner/dr-2"}, "须由责任医生本人登录后亲笔签名"),
    ):
        refused = desk.press(way, **SIGNED | change)
        assert refused.status_code in (400, 422), why
        assert why in refused.text, refused.text[:3000]
    assert desk.press(way, **SIGNED).status_code == 303
    bed = desk.client.get(way).headers["location"]
    page = desk.see(bed)
    for word in ("屏幕手写", "代签人 测试丁（女儿）", "SHA-256", "未被改动", "已封存"):
        assert word in page, word
    first = desk.client.get(f"{bed}/papers/agreement.pdf").content
    assert b"pdfaid" in first
    assert desk.client.get(f"{bed}/papers/agreement.pdf").content == first, "the copy that is printed is the one that was frozen"
    with desk.installation.database.writing(SYSTEM, at=AT) as store:
        known = service.read(store, bed.rpartition("/")[2])
        hands = hands_of(store, str(known.consent))
        assert {side: one.name for side, one in hands.items()} == {Side.PERSON: "测试丁", Side.DOCTOR: "dr-1"}
        assert all(one.drawing is not None for one in hands.values())
        (kept,) = store.select("Provenance", target=f"Consent/{known.consent}")
        with pytest.raises(RuleViolation, match="kept as they were given"), store.savepoint():
            store.put(kept | {"signature": kept["signature"][:1]})
        with pytest.raises(RuleViolation, match="kept as they were given"), store.savepoint():
            store.delete("Provenance", kept["id"])
