"""A page with a refused form: filled in as it was sent, and nothing of what others' forms hold."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from healthsvc.web.kept import refilled

PAGE: Final = """<main>
<form method="post" action="/language"><input type="hidden" name="csrf" value="new"><input name="text" value="other"></form>
<details><summary>更多</summary>
<form method="post" action="/people/1/note" class="in"><input type="hidden" name="csrf" value="new">
<input type="hidden" name="row" value="a">
<input name="text" value="old" maxlength="9"><textarea name="words">before</textarea></form>
<form method="post" action="/people/1/note"><input type="hidden" name="csrf" value="new"><input type="hidden" name="row" value="b">
<input name="text" value="old" required><input type="number" name="n"><textarea name="words">before</textarea>
<select name="one"><option value="">无</option><option value="x" selected>甲</option><option>乙</option></select>
<input type="checkbox" name="tick" value="1" checked><input type="checkbox" name="tick" value="2">
<input type="radio" name="way" value="walk"><input type="password" name="secret"><input type="file" name="paper"></form>
</details></main>"""
SENT: Final = {
    "csrf": ["old"], "row": ["b"], "text": ['<b>"5"'], "n": ["7"], "words": ["a & <i>\nb"], "one": ["乙"], "tick": ["2"], "way": ["walk"],
    "secret": ["bamboo"],
}  # fmt: skip


def again(**more: list[str]) -> str:
    made = refilled(PAGE, "/people/1?kind=visit", "/people/1/note", SENT | more, "<p>拒绝</p>", frozenset({"n"}))
    assert made is not None
    return made


def test_the_form_stands_there_as_it_was_sent() -> None:
    made = again()
    mine = made[made.index('name="row" value="b"') :]
    for part in (
        '<input name="text" required value="&lt;b&gt;&quot;5&quot;">', '<input type="number" name="n" value="7" aria-invalid="true">',
        '<textarea name="words">\na &amp; &lt;i&gt;\nb</textarea>', '<option value="x">甲', "<option selected>乙",
        '<input type="checkbox" name="tick" value="1"><input type="checkbox" name="tick" value="2" checked>',
        '<input type="radio" name="way" value="walk" checked>', '<input type="password" name="secret"><input type="file" name="paper">',
    ):  # fmt: skip
        assert part in mine
    assert "bamboo" not in made
    assert 'name="csrf" value="old"' not in made
    assert "<details open><summary>" in made


def test_the_reason_stands_before_the_row_that_was_sent_and_the_other_rows_stay_as_they_are() -> None:
    made = again()
    told = made.index("<p>拒绝</p>")
    assert made.index('name="row" value="a"') < told < made.index('name="row" value="b"')
    assert 'data-here="/people/1?kind=visit"' in made
    assert made[:told].count('value="old" maxlength="9"') == 1
    first = again(row=["a"])
    assert first.index("<p>拒绝</p>") < first.index('name="row" value="a"')


def test_a_page_without_the_form_is_not_taken_for_it() -> None:
    assert refilled(PAGE, "/people/1", "/people/2/note", SENT, "x", frozenset()) is None
    assert refilled(PAGE, "/people/1", "/people/1", SENT, "x", frozenset()) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_breaks_out_of_its_field(one: str, two: str) -> None:
    plain = again(text=["1"], words=["1"])
    made = again(text=[one], words=[two])
    assert made.count("<") == plain.count("<")
    assert made.count('"') == plain.count('"')
