"""The timeline tells of a hospital's messages what holds: the ward of today, the expected discharge, no withdrawn result."""

from datetime import timedelta

from hospital import AT, Hospital, cadre, segment

from healthsvc.store import SYSTEM, Database
from healthsvc.web.lookup import Directory
from healthsvc.web.story import story


def test_the_line_shows_what_holds(database: Database) -> None:
    hospital = Hospital(database)
    patient, _ = cadre(database)
    pv1 = {"_2": "I", "_19": "V1"}
    hospital.says("ADT^A01", "C1", segment("PV1", **pv1, _3="W1^^12"), segment("PV2", _9="20260308230000+0000"))
    hospital.says("ADT^A02", "C1", segment("PV1", **pv1, _3="W2^^3"), at=AT + timedelta(hours=1))
    obr = "OBR|1||F1|LYT^电解质|||20260302100000|||||||||||||||{at}|||{status}"
    both = "OBX|1|NM|NA^钠||140|mmol/L|135-145||||F", "OBX|2|NM|K^钾||6.9|mmol/L|3.5-5.3|HH|||F"
    hospital.says("ORU^R01", "C1", obr.format(at="20260302110000", status="F"), *both)
    hospital.says("ORU^R01", "C1", obr.format(at="20260302120000", status="C"), segment("OBX", _1="2", _2="NM", _3="K^钾", _11="W"))
    with database.reading(SYSTEM, at=AT) as store:
        told = story(store, patient, Directory(store), "", None, 50).events
    [stay] = [one for one in told if one.title == "入院"]
    assert ("预计出院", "2026-03-09") in stay.lines, "the day here, though the hospital tells it in UTC"
    assert any("W2 3床" in text for _, text in stay.lines)
    [report] = [one for one in told if one.title == "电解质"]
    assert [value.name for value in report.values] == ["钠"]
    hospital.inbox.stop()
