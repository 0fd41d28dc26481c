"""An answer goes out as one piece, whatever pieces uvicorn writes; what is large or closed does not wait."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from integrations.https import Joined


class Wire:
    """What a transport was told."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def ran(work: Coroutine[Any, Any, Any]) -> Any:
    """What it gives, in a thread of its own: a browser test beside us may have a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def test_what_one_turn_writes_is_one_piece() -> None:
    async def answers() -> list[bytes]:
        wire = Wire()
        joined = Joined(wire)
        joined.write(b"head")
        joined.write(b"body")
        assert wire.said == []
        await asyncio.sleep(0)
        joined.write(b"next")
        await asyncio.sleep(0)
        return wire.said

    assert ran(answers()) == [b"headbody", b"next"]


def test_a_large_piece_waits_for_no_other_and_keeps_its_place() -> None:
    async def answers() -> list[int]:
        wire = Wire()
        joined = Joined(wire)
        joined.write(b"head")
        joined.write(bytes(1 << 20))
        said = [len(one) for one in wire.said]
        await asyncio.sleep(0)
        assert len(wire.said) == 2
        for _ in range(100):
            joined.write(b"x")
        assert len(wire.said) > 2
        return said

    assert ran(answers()) == [4, 1 << 20]


def test_closing_sends_what_was_written_and_nothing_is_written_to_what_the_client_closed() -> None:
    async def answers() -> tuple[list[bytes], list[bytes]]:
        wire, gone = Wire(), Wire()
        joined, lost = Joined(wire), Joined(gone)
        joined.write(b"bye")
        joined.close()
        lost.write(b"too late")
        gone.closed = True
        await asyncio.sleep(0)
        return wire.said, gone.said

    assert ran(answers()) == ([b"bye"], [])
