"""The alert rules that are written out ask for what /metrics really tells, and tell what is amiss once it has lasted."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry
from typer.testing import CliRunner

from healthsvc.backup.collector import BackupCollector
from healthsvc.config import Settings
from healthsvc.installation import Installation, open_installation
from healthsvc.main import cli
from healthsvc.monitoring import requests
from healthsvc.monitoring.collector import StoreCollector
from healthsvc.monitoring.site import SiteCollector
from integrations.hospitals.shelf import Shelf
from integrations.operating.collector import LineCollector

SERIES = Path(__file__).with_name("alerts_test.yaml")
"""Series that go wrong, and what is told of them, as `promtool test rules` reads it."""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    done = CliRunner().invoke(cli, ["deploy", "alerts", "--out", str(tmp_path / "out"), "--data", str(tmp_path / "data")])
    assert done.exit_code == 0, done.output
    return tmp_path / "out" / "healthsvc-alerts.yaml"


def rules_of(path: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def told_by(here: Installation) -> dict[str, set[str]]:
    """Names of the labels of every metric that a process of an installation may tell."""
    own = CollectorRegistry()
    for one in (LineCollector(here.database, Shelf((), None)), StoreCollector(here.database), SiteCollector(here.settings)):
        own.register(one)
    assert here.settings.backup_to is not None
    own.register(BackupCollector(here.settings, here.settings.backup_to))
    found: dict[str, set[str]] = {}
    for metric in own.collect():
        found[metric.name] = set().union(*(sample.labels for sample in metric.samples), getattr(metric, "_labelnames", ()))
    assert requests.SECONDS  # told by the process itself
    for collector in list(REGISTRY._collector_to_names):
        for name in REGISTRY._collector_to_names[collector]:
            found.setdefault(name, set(getattr(collector, "_labelnames", ())))
    return found


def test_every_rule_asks_for_what_is_told(rules: Path, tmp_path: Path) -> None:
    here = open_installation(settings=Settings(data=tmp_path / "data", backup_to=tmp_path / "data"))
    known = told_by(here)
    here.close()
    for rule in rules_of(rules):
        asked = set(re.findall(r"healthsvc_\w+", rule["expr"]))
        assert asked or "up" in rule["expr"]
        assert asked <= known.keys(), rule["alert"]
        labels = set(re.findall(r"(\w+)=~?\"", rule["expr"])) - {"job"}
        assert all(labels <= known[name] for name in asked if known[name]), rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert re.search(r"[\u4e00-\u9fff]", rule["annotations"]["summary"])
        assert rule["annotations"]["description"]
    assert len({rule["alert"] for rule in rules_of(rules)}) == len(rules_of(rules))


def test_the_age_of_a_backup_is_the_site_s_own(tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    shipped = rules_text(tmp_path / "one", tmp_path)
    (tmp_path / "policy" / "ours.toml").write_text(
        '[[parameter]]\nname = "backup.stale_hours"\nvalue = 50\nunit = "h"\ntitle = "备份过期"\ntitle_en = "Too old"\nsource = "ours"\n'
        'trust = "site"\neffective_from = 2026-01-01\njurisdiction = "CN"\n'
    )
    assert "> 50 * 3600" in rules_text(tmp_path / "two", tmp_path)
    assert "> 50 * 3600" not in shipped
    assert "BACKUP_HOURS *" not in shipped


def rules_text(out: Path, data: Path) -> str:
    assert CliRunner().invoke(cli, ["deploy", "alerts", "--out", str(out), "--data", str(data)]).exit_code == 0
    return (out / "healthsvc-alerts.yaml").read_text()


def test_what_is_amiss_is_told_once_it_has_lasted(rules: Path) -> None:
    told = yaml.safe_load(SERIES.read_text())
    asked = [one["exp_samples"] for test in told["tests"] for one in test["promql_expr_test"]]
    expected = set(re.findall(r"\"(Healthsvc\w+)\"", str(asked)))
    assert expected == {rule["alert"] for rule in rules_of(rules)}, "every rule has its series"
    promtool = shutil.which("promtool")
    if promtool is None:  # Debian: apt install prometheus
        return
    shutil.copy(SERIES, rules.parent)
    for words in (["check", "rules", rules.name], ["test", "rules", SERIES.name]):
        done = subprocess.run([promtool, *words], cwd=rules.parent, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
