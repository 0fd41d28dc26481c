"""Contracts measured: setting and sealing a document, signing, counting what was delivered to 600 people; beside yardsticks.

The yardsticks run in the same minute on the same machine: Typst setting one empty sheet, and the store writing one small resource.

``make bench ARGS="contract --people 600"``. Processor seconds are shown beside the clock: on a busy machine they say more.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from healthsvc.contract import delivery, service
from healthsvc.contract.found import running
from healthsvc.contract.paper import contract_paper
from healthsvc.contract.resources import to_agreement
from healthsvc.demo.people import people
from healthsvc.documents import Document, verify
from healthsvc.documents.render import to_pdf
from healthsvc.healthfile.service import register
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database, Store

AT, ON = datetime(2026, 1, 5, 1, tzinfo=UTC), date(2026, 1, 5)
Row = dict[str, Any]


def timed(name: str, times: int, act: Callable[[int], object]) -> Row:
    """Milliseconds of the clock and of the processor for one of so many."""
    act(0)
    clock, processor = perf_counter(), process_time()
    for number in range(1, times + 1):
        act(number)
    clock, processor = perf_counter() - clock, process_time() - processor
    return {"what": name, "ms": round(clock / times * 1000, 2), "cpu_ms": round(processor / times * 1000, 2)}


def measured(store: Store, size: int) -> list[Row]:
    """All figures, the yardsticks first."""
    store.put({"resourceType": "Practitioner", "id": "d1", "name": [{"text": "医生"}]})
    persons = [str(register(store, one, "urn:bench").patient["id"]) for one in people(size + 1, 1, ON)]
    small = {
        "resourceType": "Communication",
        "status": "completed",
        "subject": {"reference": f"Patient/{persons[0]}"},
        "sent": AT.isoformat(),
    }
    doctor = "Practitioner/d1"
    rows = [
        timed("yardstick: an empty sheet", 50, lambda n: to_pdf(Document(str(n), (), AT))),
        timed("yardstick: one small write", 200, lambda n: store.put(small | {"id": f"b{n}"})),
        timed(
            "signing (contract, four checkups, document, card)",
            size,
            lambda n: service.sign(store, persons[n], doctor, None, ON),
        ),
    ]
    agreement = to_agreement(store.select("Contract")[0])
    paper = contract_paper(store, agreement, AT)
    papers = [one["id"] for one in store.select("DocumentReference", type="contract")]
    signed = running(store, ON)
    return [
        *rows,
        timed("a contract's sheet", 50, lambda n: to_pdf(replace(paper, number=str(n)))),
        timed("checking a seal", min(100, len(papers) - 1), lambda n: verify(store, papers[n])),
        timed(f"counting what was delivered to {len(signed)} people", 3, lambda n: delivery.fulfilments(store, signed, ON)),
    ]


def main() -> int:
    """Measure and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=600)
    size = parser.parse_args().people
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(f"sqlite:///{Path(folder)}/bench.sqlite", rooms=ROOMS)
        with closing(database), database.writing(SYSTEM, at=AT) as store:
            rows = measured(store, size)
    sheet, write = rows[0]["cpu_ms"], rows[1]["cpu_ms"]
    for row in rows:
        row["sheets"], row["writes"] = round(row["cpu_ms"] / sheet, 1), round(row["cpu_ms"] / write, 1)
        sys.stdout.write(f"{row['what']:<55} {row['ms']:>9} ms {row['cpu_ms']:>9} ms cpu {row['writes']:>8} writes\n")
    sys.stdout.write(json.dumps({"bench": "contract", "rows": rows}, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
