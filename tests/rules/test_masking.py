"""遮蔽: who sees which form for what, as a table; and what is hidden is nowhere in what shows."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.access.masks import MaskingPolicy
from healthsvc.access.rules import Role
from healthsvc.errors import Invalid
from healthsvc.masking import FITS, HIDDEN, Form, Kind, mask, masks_for, read_row, scrubbed, shape
from healthsvc.policy import load
from healthsvc.surnames import DOUBLE_SURNAMES

SHIPPED = load().fill(MaskingPolicy, "access", date(2026, 11, 23)).masking
CARE = ("doctor", "nurse", "coordinator", "centre-head", "system")
NUMBER, PHONE, HOME = "330299193001019014", "10000000001", "浙江省宁波市海曙区拾光路8号302室"


@pytest.mark.parametrize(
    ("value", "kind", "form", "shown"),
    [
        ("欧阳修远", Kind.NAME, Form.SURNAME, "欧阳**"),
        ("王明", Kind.NAME, Form.SURNAME, "王*"),
        ("王", Kind.NAME, Form.SURNAME, "王*"),
        ("王国强", Kind.NAME, Form.ENDS, "王*强"),
        ("买买提·艾力", Kind.NAME, Form.ENDS, "买****力"),
        ("王明", Kind.NAME, Form.ENDS, "王*"),
        (NUMBER, Kind.NUMBER, Form.ENDS, "330***********9014"),
        (NUMBER, Kind.NUMBER, Form.TAIL, "**************9014"),
        ("1234", Kind.NUMBER, Form.TAIL, "****"),
        (NUMBER, Kind.NUMBER, Form.HEAD, "33029919300101****"),
        (PHONE, Kind.PHONE, Form.TAIL, "*******0001"),
        (HOME, Kind.ADDRESS, Form.AREA, "浙江省宁波市海曙区****"),
        ("浙江省宁波市拾光路8号", Kind.ADDRESS, Form.AREA, "浙江省宁波市****"),
        ("拾光路8号", Kind.ADDRESS, Form.AREA, HIDDEN),
        (HOME, Kind.ADDRESS, Form.HIDDEN, HIDDEN),
        ("王A-1", Kind.NAME, Form.SHAPE, "某x-9"),
        (NUMBER, Kind.NUMBER, Form.FULL, NUMBER),
        ("", Kind.NAME, Form.HIDDEN, ""),
    ],
)
def test_forms(value: str, kind: Kind, form: Form, shown: str) -> None:
    assert mask(value, kind, form) == shown


@pytest.mark.parametrize(
    ("purpose", "roles", "name", "number", "phone", "address"),
    [
        ("window", Role, Form.ENDS, Form.HIDDEN, Form.HIDDEN, Form.HIDDEN),
        ("alarms", Role, Form.SURNAME, Form.HIDDEN, Form.HIDDEN, Form.AREA),
        ("file", CARE, Form.FULL, Form.ENDS, Form.FULL, Form.FULL),
        ("file", ("bureau", "operator", "auditor"), Form.HIDDEN, Form.HIDDEN, Form.HIDDEN, Form.HIDDEN),
        ("duplicates", CARE, Form.FULL, Form.HEAD, Form.FULL, Form.FULL),
        ("figures", CARE, Form.FULL, Form.HIDDEN, Form.HIDDEN, Form.HIDDEN),
        ("figures", ("bureau", "auditor"), Form.SURNAME, Form.HIDDEN, Form.HIDDEN, Form.HIDDEN),
        ("figures-others", Role, Form.SURNAME, Form.HIDDEN, Form.HIDDEN, Form.HIDDEN),
        ("ledger", CARE, Form.FULL, Form.HIDDEN, Form.HIDDEN, Form.HIDDEN),
        ("ledger", ("bureau",), Form.SURNAME, Form.HIDDEN, Form.HIDDEN, Form.HIDDEN),
        ("ledger-masked", Role, Form.SURNAME, Form.HIDDEN, Form.HIDDEN, Form.HIDDEN),
        ("a purpose that nobody has thought of", Role, Form.HIDDEN, Form.HIDDEN, Form.HIDDEN, Form.HIDDEN),
    ],
)
def test_the_shipped_table(purpose: str, roles: tuple[str, ...], name: Form, number: Form, phone: Form, address: Form) -> None:
    for role in roles:
        shown = masks_for(SHIPPED, purpose, {str(role)})
        assert [shown.form(kind) for kind in Kind] == [name, number, phone, address], role


def test_every_shipped_row_names_known_roles() -> None:
    for row in SHIPPED:
        _, roles, forms = read_row(row)
        assert forms
        assert roles <= {"*", *Role}


def test_who_holds_several_roles_gets_the_first_row_that_fits() -> None:
    assert masks_for(SHIPPED, "ledger", {"bureau", "doctor"}).name("王国强") == "王国强"
    assert masks_for(SHIPPED, "ledger", {"bureau"}).name("王国强") == "王**"
    assert masks_for(("ledger bureau: name=full", *SHIPPED), "ledger", {"bureau"}).name("王国强") == "王国强", "a site's own purpose"


@pytest.mark.parametrize("row", ["window", "window: name=ends", "window *: name=loud", "window *: voice=full", "window *: name=tail", ":"])
def test_a_table_that_cannot_be_read_is_told(row: str) -> None:
    with pytest.raises(Invalid, match=r"access\.masking"):
        masks_for((row,), "window", {"doctor"})


han = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5).filter(lambda one: one != "某")
letters = han | st.characters(categories=["Lu", "Nd"]).filter(lambda one: one not in "9X")
distinct = st.lists(letters, min_size=1, max_size=30, unique=True).map("".join)
kinds = st.sampled_from([(kind, form) for kind in Kind for form in sorted(FITS[kind]) if form is not Form.FULL])


@given(distinct, kinds)
def test_what_is_hidden_is_nowhere_in_what_shows(value: str, asked: tuple[Kind, Form]) -> None:
    kind, form = asked
    shown = mask(value, kind, form)
    visible = [one for one in value if one in shown]
    assert shown != value
    assert len(visible) < len(value) or form is Form.AREA or (len(value) == 1 and form in (Form.SURNAME, Form.ENDS))
    if form is Form.SURNAME:
        assert "".join(visible) == value[: 2 if len(value) > 2 and value[:2] in DOUBLE_SURNAMES else 1]
    elif form is Form.ENDS and len(value) > 7:
        assert "".join(visible) == (value[0] + value[-1] if kind is Kind.NAME else value[:3] + value[-4:])
    elif form is Form.TAIL:
        assert "".join(visible) == (value[-4:] if len(value) > 4 else "")
    elif form is Form.HEAD:
        assert "".join(visible) == value[:-4]
    elif form in (Form.SHAPE, Form.HIDDEN):
        assert visible == []
    elif form is Form.AREA and visible:
        assert shown == "".join(visible) + "****"
        assert visible[-1] in "区县旗州市"


MOBILE = "13" + "0" * 9


@given(st.sampled_from([NUMBER, MOBILE, "33029919300101901X"]), st.sampled_from(["{}", "电话{}，", "id={}", "({})"]))
def test_a_log_never_says_a_number_of_a_person(number: str, text: str) -> None:
    said = scrubbed({"event": text.format(number), "count": 3})
    assert number not in str(said["event"])
    assert said["event"] == text.format(shape(number))
    assert said["count"] == 3


def test_a_log_keeps_what_is_no_number_of_a_person() -> None:
    at = "2026-11-23T01:00:46.923145"
    kept = {"event": "hl7 message processed", "control_id": "MSG-" + MOBILE, "second": "202601051701240001", "version": "1.2", "at": at}
    assert scrubbed(kept) == kept
