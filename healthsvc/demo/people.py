"""Invented people for the demonstration: names put together by chance, citizen ids with area parts that nobody has."""

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from healthsvc.errors import NotSupported
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, LIXIU_CERTIFICATE
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.roster_columns import COLUMNS
from healthsvc.healthfile.roster_files import write_csv, write_xlsx
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Identifier, Living, Person, Position

_AREA: Final = "330299"
"""An area part that has not been given out."""
_SURNAMES: Final = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾萧田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏"
    "韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤单仇查解"
)
_COMPOUND: Final = ("欧阳", "司徒", "上官", "诸葛", "夏侯", "尉迟")
_MIDDLE: Final = "文明德志建国永庆长春光荣家宗世仁义礼智信忠孝玉秀桂兰淑惠月素云瑞"
_MALE_LAST: Final = "山海川林峰松柏江河岳石铭远达辉章华民安康宁平福禄寿堂轩"
_FEMALE_LAST: Final = "英兰芳珍梅桂莲菊香琴凤霞云娥贞静雅慧娟萍竹荷芝"
_UNITS: Final = (
    "澜湾镇人民政府",
    "澜湾粮食局",
    "澜湾教育局",
    "澜湾农机厂",
    "澜湾供销合作社",
    "澜湾水利局",
    "澜湾第一中学",
    "澜湾交通局",
    "澜湾卫生局",
)
_ELSEWHERE: Final = ("北芦省机械工业厅", "北芦省地质勘探队", "拾光市纺织局")
_RELATIONS: Final = ("女儿", "儿子", "儿媳", "外孙女", "侄子")
_LIVING: Final = ((Living.ALONE, 18), (Living.COUPLE_ALONE, 34), (Living.WITH_FAMILY, 30), (Living.WITH_CARER, 16), (Living.INSTITUTION, 2))
_LIXIU_SHARE: Final = 0.8
_LIXIU_BORN: Final = (date(1918, 1, 1), date(1936, 12, 31))
_TUIXIU_BORN: Final = (date(1940, 1, 1), date(1966, 12, 31))


def people(
    count: int,
    seed: int,
    on: date,
    homes: Sequence[tuple[float, float, str, str]] = (),
) -> list[Person]:
    """Invent people; the same arguments give the same people on every machine.

    Args:
        count: how many.
        seed: of the chance.
        on: the day on which they are alive; nobody is older than 112 then, and who is younger than 90 is 退休.
        homes: longitude, latitude, community and address of the homes to live in, taken in turn; none: nobody has a position.
    """
    return list(islice(one_by_one(seed, on, homes), count))


def one_by_one(seed: int, on: date, homes: Sequence[tuple[float, float, str, str]] = ()) -> Iterator[Person]:
    """The same people without end, for whoever needs more of them than should be held at a time; no two have one citizen id."""
    chance = random.Random(seed)  # noqa: S311 - invented people, not a secret
    taken: set[str] = set()
    while True:
        number = len(taken)
        person = _person(number, chance, on, homes[number % len(homes)] if homes else None)
        citizen = person.identifiers[0].value
        if citizen not in taken:  # two of one day, area and sequence would be one person
            taken.add(citizen)
            yield person


def write_roster(persons: Sequence[Person], path: Path) -> None:
    """Write people as a roster that the import reads (.csv or .xlsx by the name of the file)."""
    table = [[column.heading for column in COLUMNS], *(_row(person) for person in persons)]
    if path.suffix.lower() == ".xlsx":
        write_xlsx(path, table)
    elif path.suffix.lower() == ".csv":
        write_csv(path, table)
    else:
        raise NotSupported("a roster is written as .csv or .xlsx")


def _person(number: int, chance: random.Random, on: date, home: tuple[float, float, str, str] | None) -> Person:
    lixiu = chance.random() < _LIXIU_SHARE
    first, last = _LIXIU_BORN if lixiu else _TUIXIU_BORN
    birth = _day(chance, max(first, date(on.year - 112, 1, 1)), last)
    male = chance.random() < (0.75 if lixiu else 0.55)
    resettled = chance.random() < 0.06
    lon, lat, community, address = home or (None, None, "", "")
    identifiers = [
        Identifier(CITIZEN_ID, _citizen_id(number, birth, male)),
        Identifier(HEALTH_FILE_NUMBER, f"{_AREA}001{1 + number % 9:03d}{number + 1:05d}"),
    ]
    if lixiu:
        identifiers.append(Identifier(LIXIU_CERTIFICATE, f"LX{number + 1:06d}"))
    living = chance.choices([kind for kind, _ in _LIVING], [weight for _, weight in _LIVING])[0]
    surname = chance.choice(_COMPOUND) if chance.random() < 0.02 else chance.choice(_SURNAMES)
    return Person(
        name=surname + _given(chance, male),
        sex="male" if male else "female",
        sex_code="1" if male else "2",
        birth=birth,
        identifiers=tuple(identifiers),
        phones=(_phone(number, 0),),
        address=address,
        position=Position(lat, lon, source="虚构城镇") if lat is not None and lon is not None else None,
        contacts=_contacts(number, surname, chance),
        category=Category.LIXIU if lixiu else Category.TUIXIU,
        managing_unit=chance.choice(_ELSEWHERE if resettled else _UNITS),
        residence_area=community,
        resettled=resettled,
        living=living,
    )


def _contacts(number: int, surname: str, chance: random.Random) -> tuple[Contact, ...]:
    relative = (surname if chance.random() < 0.7 else chance.choice(_SURNAMES)) + _given(chance, chance.random() < 0.5)
    others = [chance.choice(_SURNAMES) + _given(chance, chance.random() < 0.5) for _ in range(3)]
    return (
        Contact(ContactRole.FAMILY, relative, _phone(number, 1), chance.choice(_RELATIONS)),
        Contact(ContactRole.FORMER_UNIT, others[0], _phone(number, 2)),
        Contact(ContactRole.COMMUNITY_WORKER, others[1], _phone(number, 3)),
        Contact(ContactRole.COMMUNITY_DOCTOR, others[2], _phone(number, 4)),
    )


def _citizen_id(number: int, birth: date, male: bool) -> str:
    """Sequence numbers from 900 on, odd for men; the area part counts on where one day has more births than numbers."""
    turn, step = divmod(number, 50)
    area = int(_AREA) - turn % 10
    first = f"{area}{birth:%Y%m%d}{900 + 2 * step - (2 * step) % 2 + int(male):03d}"
    return first + check_digit(first)


def _given(chance: random.Random, male: bool) -> str:
    last = chance.choice(_MALE_LAST if male else _FEMALE_LAST)
    return last if chance.random() < 0.15 else chance.choice(_MIDDLE) + last


def _phone(number: int, which: int) -> str:
    """A number of an exchange that does not exist (subscriber numbers do not begin with 0)."""
    return f"0574-0{which}{number % 1_000_000:06d}"


def _day(chance: random.Random, first: date, last: date) -> date:
    return first + timedelta(days=chance.randrange((last - first).days + 1))


def _row(person: Person) -> list[str]:
    numbers = {one.system: one.value for one in person.identifiers}
    contacts = {one.role: one for one in person.contacts}
    category = {Category.LIXIU: "离休", Category.TUIXIU: "退休", None: ""}
    living = {Living.ALONE: "独居", Living.COUPLE_ALONE: "空巢", Living.WITH_FAMILY: "与子女同住", Living.WITH_CARER: "与保姆同住"}
    living |= {Living.INSTITUTION: "养老机构"}
    values = {
        "name": person.name,
        "sex_code": {"1": "男", "2": "女"}.get(person.sex_code, person.sex_code),
        "citizen_id": numbers.get(CITIZEN_ID, ""),
        "birth": person.birth.isoformat() if person.birth else "",
        "file_number": numbers.get(HEALTH_FILE_NUMBER, ""),
        "certificate": numbers.get(LIXIU_CERTIFICATE, ""),
        "category": category[person.category],
        "managing_unit": person.managing_unit,
        "residence_area": person.residence_area,
        "address": person.address,
        "longitude": repr(person.position.longitude) if person.position else "",
        "latitude": repr(person.position.latitude) if person.position else "",
        "datum": person.position.datum if person.position else "",
        "phone": next(iter(person.phones), ""),
        "living": living[person.living] if person.living else "",
        "resettled": "" if person.resettled is None else "是" if person.resettled else "否",
        "tags": "、".join(tag.code for tag in person.tags if tag.by_hand),
    }
    for role, name, phone in (
        (ContactRole.FAMILY, "family", "family_phone"),
        (ContactRole.FORMER_UNIT, "unit_contact", "unit_phone"),
        (ContactRole.COMMUNITY_WORKER, "worker", "worker_phone"),
        (ContactRole.COMMUNITY_DOCTOR, "community_doctor", "doctor_phone"),
    ):
        values[name] = contacts[role].name if role in contacts else ""
        values[phone] = contacts[role].phone if role in contacts else ""
    values["relation"] = contacts[ContactRole.FAMILY].relation if ContactRole.FAMILY in contacts else ""
    return [values[column.field] for column in COLUMNS]
