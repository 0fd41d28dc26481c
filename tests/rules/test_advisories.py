"""The audit of packages never passes for want of data."""

import advisories


def package(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "version": "1.0", "vulns": [], **more}


def test_what_was_not_looked_up_is_no_pass() -> None:
    assert advisories.judged({"dependencies": [package("a"), package("b")]})[0] == 0
    assert advisories.judged({"dependencies": [package("a"), {"name": "b", "skip_reason": "not found"}]})[0] == 2
    assert advisories.judged({"dependencies": []})[0] == 2
    assert advisories.judged({})[0] == 2
    code, words = advisories.judged({"dependencies": [package("a", vulns=[{"id": "PYSEC-1"}]), {"name": "b", "skip_reason": "x"}]})
    assert (code, "PYSEC-1" in words) == (1, True)
