"""The long form of the fuzzing: atheris drives framing, character sets, reader and judgement with bytes of its own making.

Needs `pip install atheris`; seconds by HEALTHSVC_FUZZ_SECONDS (default 60), so that an hour's worth can be spread over runs.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TARGET = """
import sys
import atheris
with atheris.instrument_imports(include=["integrations"]):
    from integrations.mllp.framing import Fault, Frame, FrameReader, wrap
    from integrations.hl7v2.er7 import Message
    from integrations.hl7v2.charset import decode
    from integrations.arrival import receive
    from integrations.hospitals.shelf import Shelf, load
from healthsvc import clock
from healthsvc.errors import Refusal
shelf, AT = Shelf([], load("default")), clock.now()
GOOD = b"MSH|^~\\\\&|HIS|H1|C|C|2026||ADT^A31|GOOD|P|2.4\\rPID|1||C1^^^^IDCard||x\\r"

def one(data):
    cut = (data[0] % 17 + 1) if data else 1
    reader, found = FrameReader(4096), []
    for at in range(0, len(data), cut):
        found += reader.feed(data[at:at + cut])
    found += reader.feed(b"\\r\\x1c\\r" + wrap(GOOD)) + reader.close()
    frames = [each.content for each in found if isinstance(each, Frame)]
    assert GOOD in frames or any(GOOD in frame for frame in frames), "a good message after any noise is read"
    for raw in {data, *frames}:
        arrival = receive(raw, shelf, listen="127.0.0.1:1", peer="127.0.0.1", at=AT, number="1")
        assert arrival.hash and len(arrival.control_id) <= 200
        if arrival.state.value == "pending":
            assert arrival.code.value in ("AA", "CA")
        try:
            decoded = decode(raw)
            message = Message(decoded.text, decoded.codec)
        except Refusal:
            continue
        assert message.encode() == decoded.text and decoded.encode(decoded.text) == raw, "nothing is lost in reading"

atheris.Setup(sys.argv, one)
atheris.Fuzz()
"""


@pytest.mark.long
@pytest.mark.timeout(int(os.environ.get("HEALTHSVC_FUZZ_SECONDS", "60")) + 240)
def test_no_bytes_break_the_line(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="pip install atheris for the long form")
    seconds = int(os.environ.get("HEALTHSVC_FUZZ_SECONDS", "60"))
    script = tmp_path / "target.py"
    script.write_text(TARGET)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "good").write_bytes(b"\x0bMSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5\rPID|1||1\rOBR|1\r\x1c\r")
    words = [sys.executable, str(script), str(corpus), f"-max_total_time={seconds}", "-max_len=2000", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2], check=False, env={**os.environ, "PYTHONPATH": "."}
    )
    assert done.returncode == 0, done.stderr[-3000:]
