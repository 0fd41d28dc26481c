"""The drill: from the alarm over HTTP to the first call in the message gateway, through the real command in its own process."""

import os
import time
from pathlib import Path

import pytest
from served import served

from healthsvc.emergency.service import DEVICE_NUMBER
from healthsvc.fhir.systems import code_system
from integrations.notify.gateway import Gateway


def test_from_the_alarm_to_the_first_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    called: list[tuple[float, str]] = []
    gateway = Gateway("127.0.0.1", 0, b"drill", lambda to, _text: called.append((time.monotonic(), to)))
    gateway.start()
    monkeypatch.setitem(os.environ, "HEALTHSVC_NOTIFY_WEBHOOK", gateway.url)
    monkeypatch.setitem(os.environ, "HEALTHSVC_NOTIFY_SECRET", "drill")
    took, answered = [], []
    try:
        with served(tmp_path / "data") as there, there.client("system") as client:
            for number in range(5):
                family = {
                    "relationship": [{"coding": [{"system": code_system("contact-role"), "code": "family"}]}],
                    "name": {"text": "女儿"},
                }
                file = {"resourceType": "Patient", "id": f"p{number}", "name": [{"text": f"演练{number}"}], "active": True}
                file |= {"contact": [family | {"telecom": [{"system": "phone", "value": f"1380000000{number}"}]}]}
                assert client.put(f"/fhir/Patient/p{number}", json=file).status_code == 201
                device = {"resourceType": "Device", "id": f"d{number}", "patient": {"reference": f"Patient/p{number}"}}
                device |= {"identifier": [{"system": DEVICE_NUMBER, "value": f"000{number}"}]}
                assert client.put(f"/fhir/Device/d{number}", json=device).status_code == 201
            for number in range(5):
                begun = time.monotonic()
                raised = client.post("/api/emergency/alarms", json={"device": f"000{number}", "kind": "drill", "source": "81890"})
                assert raised.status_code == 201, raised.text
                answered.append(time.monotonic() - begun)
                ends = begun + 30
                while not any(to == f"1380000000{number}" for _, to in called) and time.monotonic() < ends:
                    time.sleep(0.005)
                took.append(next(at for at, to in called if to == f"1380000000{number}") - begun)
    finally:
        gateway.stop()
    with capsys.disabled():
        times = "alarm to answer {:.0f} ms, to the first call in the gateway {:.0f} ms (medians of 5; slowest {:.0f} ms)"
        print("\n" + times.format(*(1000 * sorted(one)[2] for one in (answered, took)), 1000 * max(took)))  # noqa: T201
