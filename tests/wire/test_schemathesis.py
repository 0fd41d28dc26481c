"""The OpenAPI document against the served application: schemathesis makes the calls, with and without a token.

The short form tries every operation with a few calls; the long form (`-m long`) goes on for minutes.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serving import serving

from healthsvc import clock
from healthsvc.access import tokens
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.installation import open_installation, publish_conformance
from healthsvc.store import SYSTEM

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    here = open_installation(settings=Settings(data=tmp_path_factory.mktemp("schemathesis")))
    publish_conformance(here.database)
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        secret = tokens.issue_token(store, "system", "schemathesis", 2)
    with serving(create_app(here)) as url:
        yield url, secret
    here.close()


def run(served: tuple[str, str], folder: Path, examples: int, *more: str, signed: bool = True) -> str:
    """Call every operation; gives what schemathesis says of those that do not keep their word, or nothing."""
    url, secret = served
    document = folder / "openapi.json"
    described = httpx.get(f"{url}/openapi.json", headers={"authorization": f"Bearer {secret}"}).json()
    document.write_text(json.dumps(described), encoding="utf-8")
    head = ["-H", f"Authorization: Bearer {secret}"] if signed else []
    words = [
        sys.executable, "-W", "ignore", "-m", "schemathesis.cli", "run", str(document), "--url", url, "--checks", CHECKS, "--max-examples",
        str(examples), "--workers", "2", "--seed", "1", "--no-color", "--generation-database", "none", "--warnings", "off", "--no-shrink",
        "--continue-on-failure", *head, *more,
    ]  # fmt: skip
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    counted = re.search(r"Tested: (\d+)", done.stdout)
    assert counted is not None, done.stdout[-2000:] + done.stderr[-2000:]
    operations = sum(len(methods) for methods in described["paths"].values())
    assert operations > 200
    assert int(counted[1]) >= 0.95 * operations, done.stdout[-3000:]  # a busy machine may leave one out whose example was late
    return "" if done.returncode == 0 else done.stdout[-12_000:]


def test_every_operation_keeps_its_word(served: tuple[str, str], tmp_path: Path) -> None:
    assert run(served, tmp_path, 2, "--phases", "fuzzing", "--mode", "positive") == ""


def test_whoever_brings_no_token_is_refused_as_described(served: tuple[str, str], tmp_path: Path) -> None:
    assert run(served, tmp_path, 1, "--phases", "fuzzing", "--mode", "positive", signed=False) == ""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_every_operation_keeps_its_word_under_nonsense(served: tuple[str, str], tmp_path: Path) -> None:
    assert run(served, tmp_path, 20, "--phases", "examples,coverage,fuzzing", "--mode", "all") == ""
