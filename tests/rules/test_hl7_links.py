"""Link profiles are checked files; waiting messages keep each person's order; what we write, an independent reader accepts."""

import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc import clock
from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.healthfile.citizen_id import check_digit
from integrations import hospitals
from integrations.demo.day import messages
from integrations.hl7v2.charset import decode
from integrations.hl7v2.check import check_message
from integrations.hl7v2.compose import message, segment
from integrations.hl7v2.conformance import problems
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import Header, read_header
from integrations.hospitals import reader
from integrations.hospitals.profile import is_loopback
from integrations.hospitals.schema import schema, text
from integrations.hospitals.shelf import Shelf, load, read, shelf, shipped
from integrations.lanes import Waiting, keys, runnable

AT = datetime(2026, 3, 2, 7, 0, tzinfo=clock.zone())
GOOD = 'extends = "default"\nprofile = "renmin"\nversion = 3\ntitle = "人民医院"\nhospital = "rm"\n'


def header(sender: str = "HIS|H1", receiver: str = "C|C") -> Header:
    return read_header(Message(f"MSH|^~\\&|{sender}|{receiver}|2026||ADT^A01|1|P|2.4\r"))


def site(tmp_path: Path, text: str, name: str = "renmin.toml") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_every_shipped_profile_can_be_read() -> None:
    assert "default" in shipped()
    assert {load(name).name for name in shipped()} == set(shipped())
    with pytest.raises(NotFound, match="shipped are"):
        load("nowhere")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("version = 3", 'version = "3"'), "version must be a whole number"),
        (GOOD + 'charset = "martian"', "charset is no known character set"),
        (GOOD + 'unknown_person = "ignore"', "unknown_person is one of"),
        (GOOD + 'colour = "red"', "colour is not a setting"),
        (GOOD + '[[number]]\nkind = "X"\nmeans = "soul"', "number 1.means is one of"),
        (GOOD + "[sex]\n3 = 'both'", "sex.3 is one of"),
        (GOOD + "[transaction]\n'支付' = 'PAID'", "transaction.支付 is one of AJ, CD, CG, CO, PY"),
        (GOOD + "no_allergy = '无'", "no_allergy must be a list of texts"),
        (GOOD + "[match]\nlisten = '0.0.0.0:1'", "match.listen must be a list"),
        (GOOD.replace("default", "nothing"), "extends names no shipped profile"),
        (GOOD + "[send]\nhost = 'a'\nport = 0", "send.port must be a number"),
        ("profile = ", "cannot be read"),
        ('profile = "x"\nversion = 1', "title is missing"),
    ],
)
def test_every_mistake_in_a_profile_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(site(tmp_path, text))
    assert "renmin.toml" in refused.value.text
    assert said in refused.value.text


@pytest.fixture(scope="module")
def validator() -> Any:
    """Of the published schema. Its package takes seconds to load, which only whoever runs these tests shall pay."""
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


@pytest.mark.parametrize("name", shipped())
def test_the_published_schema_accepts_every_shipped_profile(name: str, validator: Any) -> None:
    path = Path(hospitals.__file__).parent / f"{name}.toml"
    assert not list(validator.iter_errors(tomllib.loads(path.read_text(encoding="utf-8"))))


def test_the_published_schema_is_the_readers_own(validator: Any) -> None:
    assert (Path(hospitals.__file__).parent / "profile.schema.json").read_text(encoding="utf-8") == text()
    assert set(schema()["properties"]) == reader.KEYS
    for wrong in (
        "charset = 3",
        'unknown_person = "ignore"',
        "colour = 'red'",
        "[[number]]\nkind = 'X'\nmeans = 'soul'",
        "[sex]\n3 = 'both'",
    ):
        assert list(validator.iter_errors(tomllib.loads(GOOD + wrong))), wrong


def test_the_closest_profile_is_chosen_and_loopback_has_the_default(tmp_path: Path) -> None:
    site(tmp_path, GOOD + '[match]\nsending_facility = "H1"\nlisten = ["10.0.0.1:2575", "127.0.0.1:*"]\n')
    site(tmp_path, GOOD.replace('"renmin"', '"lis"') + '[match]\nsending_application = "LIS"\nsending_facility = "H1"\n', "lis.toml")
    known = shelf(tmp_path)
    chosen = {
        (sender, listen): found.name if (found := known.choose(header(sender), listen)) else None
        for sender in ("HIS|H1", "LIS|H1", "HIS|H9")
        for listen in ("127.0.0.1:2575", "10.0.0.1:2575", "10.0.0.2:2575")
    }
    assert chosen == {
        ("HIS|H1", "127.0.0.1:2575"): "renmin",
        ("LIS|H1", "127.0.0.1:2575"): "lis",
        ("HIS|H9", "127.0.0.1:2575"): "default",
        ("HIS|H1", "10.0.0.1:2575"): "renmin",
        ("LIS|H1", "10.0.0.1:2575"): "renmin",
        ("HIS|H9", "10.0.0.1:2575"): None,
        ("HIS|H1", "10.0.0.2:2575"): None,
        ("LIS|H1", "10.0.0.2:2575"): None,
        ("HIS|H9", "10.0.0.2:2575"): None,
    }
    known.check_listening("10.0.0.1:2575")
    with pytest.raises(Invalid, match="DATA/hospitals"):
        known.check_listening("0.0.0.0:2575")


def test_two_profiles_of_one_name_are_refused(tmp_path: Path) -> None:
    site(tmp_path, GOOD)
    site(tmp_path, GOOD, "copy.toml")
    with pytest.raises(Invalid, match="two link profiles are called"):
        shelf(tmp_path)


def test_loopback() -> None:
    assert all(is_loopback(address) for address in ("127.0.0.1:1", "localhost:1", "[::1]:1", "127.8.9.1:1"))
    assert not any(is_loopback(address) for address in ("0.0.0.0:1", "10.0.0.1:1", "[::]:1", "127.evil.example:1"))


def test_a_profile_may_add_its_own_words_to_the_default(tmp_path: Path) -> None:
    profile = read(site(tmp_path, GOOD + '[[number]]\nkind = "IDCard"\nmeans = "ignore"\n[sex]\n"7" = "male"\n'))
    assert profile.number("idcard", ()).means == "ignore"
    assert profile.number("IdentifyNO", ()).means == "citizen"
    assert (profile.sex["7"], profile.sex["2"]) == ("male", "female")


def waiting(id: int, *names: str, due: int = 0) -> Waiting:
    return Waiting(id, frozenset(names), due)


def test_a_message_waits_for_every_earlier_one_of_the_same_person() -> None:
    queue = [waiting(1, "a"), waiting(2, "b", due=9), waiting(3, "b", "c"), waiting(4, "c"), waiting(5, "d"), waiting(6)]
    assert [one.id for one in runnable(queue, now=5)] == [1, 5, 6]
    assert [one.id for one in runnable(queue, now=9)] == [1, 2, 3, 4, 5, 6]


@given(st.lists(st.tuples(st.frozensets(st.sampled_from("abcd"), max_size=3), st.integers(0, 3)), max_size=12))
def test_nobody_overtakes(entries: list[tuple[frozenset[str], int]]) -> None:
    queue = [Waiting(id, names, due) for id, (names, due) in enumerate(entries)]
    ready = {one.id for one in runnable(queue, now=1)}
    for later in queue:
        blocked = any(not earlier.keys.isdisjoint(later.keys) and earlier.id not in ready for earlier in queue[: later.id])
        assert (later.id in ready) == (later.due <= 1 and not blocked)


def test_keys_show_no_number() -> None:
    assert "C1" not in "".join(keys("", [("s", "C1")]))
    assert keys("", [("s", "C1")]) == keys("", [("s", "C1")]) != keys("", [("t", "C1")])


@given(st.text(st.characters(codec="gb18030", exclude_characters="\0"), max_size=30))
def test_no_name_cuts_a_message(name: str) -> None:
    text = message(
        ("ADT", "A31"), "1", AT, [segment("PID", {3: [("C|1", "", "", "", "IDCard")], 5: name})], sender=("A", "B"), receiver=("C", "D")
    )
    pid = Message(text)["PID"]
    assert pid[5].text == ("" if name == '""' else name.replace("\r\n", "\n").replace("\r", "\n"))
    assert pid[3].component(5).text == "IDCard"


def people() -> list[dict[str, object]]:
    found = []
    for number in range(7):
        first = f"3302991930010190{number}"
        found.append(
            {
                "resourceType": "Patient",
                "name": [{"text": f"测试{number}"}],
                "gender": "male",
                "birthDate": date(1930, 1, 1).isoformat(),
                "identifier": [{"system": CITIZEN_ID, "value": first + check_digit(first)}],
            }
        )
    return found


def test_the_hospital_day_is_the_same_for_the_same_seed_and_covers_what_it_promises() -> None:
    day = messages(people(), AT, 7)
    assert day == messages(people(), AT, 7)
    assert day != messages(people(), AT, 8)
    profile = load("default")
    checked = [check_message(raw, "day", index, profile) for index, raw in enumerate(day, start=1)]
    assert not [one for one in checked if one.rejected or not one.mapped or not one.identical]
    assert {one.event for one in checked} == {f"ADT^{e}" for e in ("A01", "A03", "A04", "A08", "A11", "A13", "A28", "A31", "A40")} | {
        "ORU^R01", "RDE^O11", "BAR^P01", "DFT^P03", "RDS^O13",
    }  # fmt: skip
    assert {one.charset for one in checked} >= {"utf-8", "gb18030"}
    assert len(day) == len(set(day)) + 1, "one message is sent twice"


def test_an_independent_reader_accepts_what_we_write() -> None:
    for raw in messages(people(), AT, 7):
        assert problems(decode(raw, unlabelled="GB18030").text) == []
    wrong = message(("ADT", "A01"), "1", AT, [segment("PID", {1: "1"}), "QQQ|1"], sender=("A", "B"), receiver=("C", "D"))
    assert problems(wrong)


@pytest.mark.parametrize(
    ("line", "told", "written"),
    [("", "", "UTF-8"), ('charset = "GB18030"', "", "GB18030"), ('charset = "GB18030"', 'charset = "UTF-8"', "UTF-8")],
)
def test_a_hospital_is_written_to_in_the_characters_of_its_line(tmp_path: Path, line: str, told: str, written: str) -> None:
    sends = read(site(tmp_path, f"{GOOD}{line}\n[send]\nhost = 'a'\nport = 1\n{told}\n")).send
    assert sends is not None
    assert sends.charset == written


def test_the_dry_run_names_the_words_that_a_profile_does_not_know_and_nobody() -> None:
    head = "MSH|^~\\&|HIS|H1|C|C|20260302||{}|M1|P|2.4\r"
    person = "PID|1||C1^^^^IDCard~C2^^^^WorkNO~C3^^^^测试甲||测试甲||19310101|{}\r"
    for event, sex, more, told in (
        ("ADT^A01", "1", "PV1|1|住院\r", ()),
        ("ADT^A01", "3", "PV1|1|疗养\r", ("PID-8 3", "PV1-2 某某")),
        ("ADT^A31", "测试甲", "", ("PID-8 某某某",)),
        ("ORU^R01", "M", "OBR|1||R1|^x\rOBX|1|NM|a^a||1||0-2|K|||F\rOBX|2|NM|b^b||1||0-2|↑|||F\r", ("OBX-8 K",)),
    ):
        found = check_message((head.format(event) + person.format(sex) + more).encode(), "x", 1, load("default"))
        assert found.strange == (*told, "PID-3.5 WorkNO", "PID-3.5 某某某"), event
        assert not found.rejected
    kinds = "PID|1||C1^^^^社保卡号~C2^^^^DE01.00.999.00~C3^^^^张门诊号~C4^^^^DE01.00.0210||测试甲\r"
    found = check_message((head.format("ADT^A31") + kinds).encode(), "x", 1, load("default"))
    assert found.strange == tuple(f"PID-3.5 {kind}" for kind in ("社保卡号", "DE01.00.999.00", "某某某某", "xx99.99.9999"))


def test_the_national_names_of_numbers_are_known_to_the_built_in_profile() -> None:
    profile = load("default")
    kinds = {"DE02.01.030.00": "citizen", "DE01.00.021.00": "health-card", "DE01.00.014.00": "inpatient", "DE01.00.010.00": "outpatient"}
    assert {kind: number.means for kind in kinds if (number := profile.number(kind, ())) is not None} == kinds


def test_the_dry_run_names_the_times_that_cannot_be_read_by_their_shape() -> None:
    text = (
        "MSH|^~\\&|LIS|H1|C|C|26-03-02||ORU^R01|M1|P|2.4\rPID|1||C1^^^^IDCard||测试甲\r"
        'OBR|1||R1|^x|||星期一|无||||||00000000||||||||20260302091500250\rOBX|1|NM|a^a||1|||||F|||""\rSCH||1|||||||||^^^02.03.26^20260302\r'
    )
    found = check_message(text.encode(), "x", 1, load("default"))
    assert found.times == ("MSH-7 99-99-99", "OBR-7 某某某", "SCH-11.4 99.99.99")
    assert not found.rejected


def test_a_shelf_without_default_knows_nobody() -> None:
    assert Shelf([], None).choose(header(), "127.0.0.1:1") is None


def test_the_written_day_is_what_the_generator_says_and_a_link_takes_all_of_it() -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    from integrations.hl7v2.check import check

    path = Path(__file__).resolve().parents[2] / "fixtures/hl7/write.py"
    spec = spec_from_file_location("hl7_fixtures", path)
    assert spec is not None
    assert spec.loader is not None
    written = module_from_spec(spec)
    spec.loader.exec_module(written)
    assert written.day() == written.DAY.read_bytes(), "run python fixtures/hl7/write.py"
    assert written.batch() == written.BATCH.read_bytes(), "run python fixtures/hl7/write.py"
    counts = check([path.parent]).counts()
    assert counts["messages"] == counts["read"] == counts["identical"] == counts["mapped"]
    assert counts["charsets"].keys() == {"utf-8", "gb18030"}
