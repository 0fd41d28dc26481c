"""Play the hospital's day over a real MLLP line, and wait until every message has had its effect."""

import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from healthsvc import clock
from healthsvc.installation import Installation
from healthsvc.store.journals_read import waiting
from integrations.address import Address
from integrations.demo import story
from integrations.demo.day import messages
from integrations.hl7v2.replies import belongs, read_reply
from integrations.keep import INBOX
from integrations.mllp.client import Client

PATIENTS: Final = 24
DAY: Final = timedelta(hours=10)
PATIENCE_SECONDS: Final = 60.0


def play(here: Installation, line: Address, at: datetime, told: story.Told, step: story.Step) -> None:
    """Send a hospital's day, which ends now, message by message; every one is answered after it is on disk."""
    said = messages(story.inpatients(here, at, PATIENTS), at - DAY, story.SEED)
    codes: Counter[str] = Counter()
    began = time.perf_counter()
    with Client(line.host, line.port, belongs) as client:
        for number, message in enumerate(said, 1):
            codes[read_reply(client.send(message)).code or "none"] += 1
            step(number, len(said))
    rate = len(said) / (time.perf_counter() - began)
    answered = ", ".join(f"{count} {code}" for code, count in sorted(codes.items()))
    told.say("医院一日 hospital day", f"{len(said)} messages over MLLP, UTF-8 and GB18030: {answered} ({rate:.0f}/s on one line)")


def settle_queue(here: Installation, told: story.Told, step: story.Step) -> None:
    """Wait until nothing is pending; say how each message ended and what the day left to do."""
    ends = time.perf_counter() + PATIENCE_SECONDS
    while True:
        with here.database.reading(story.DEMO, at=clock.now()) as store:
            counted = store.connection.execute(select(INBOX.c.state, func.count()).group_by(INBOX.c.state))
            states: dict[str, int] = {str(state): int(count) for state, count in counted}
            states["pending"] = states.get("pending", 0) + sum(many for many, _ in waiting(store.connection).values())
            if not states["pending"] or time.perf_counter() > ends:
                held = len(store.select("Task", status="on-hold"))
                raised = len(store.select("Task", code=["admission-visit", "follow-up"], status="requested"))
                break
        total = sum(states.values())
        step(total - states["pending"], total)
        time.sleep(0.1)
    told.say("消息处理 effects", ", ".join(f"{count} {state}" for state, count in sorted(states.items()) if count))
    told.say("随访任务 what follows", f"{raised} admission visits and follow-ups asked for, {held} visits on hold while in hospital")
