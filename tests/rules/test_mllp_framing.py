"""Messages are cut out of a stream of bytes whatever the line does, and nothing cut short ever passes for a whole message."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.mllp.framing import Fault, FaultKind, Frame, FrameReader, wrap

A = b"MSH|^~\\&|HIS|H|C|C|20260105||ADT^A01|1|P|2.4\rPID|1||1\r"
B = b"MSH|^~\\&|HIS|H|C|C|20260105||ADT^A03|2|P|2.4\rPID|1||2\r"


def test_a_frame_over_two_reads() -> None:
    reader = FrameReader(limit=16 << 20)
    assert reader.feed(b"\x0bMSH|...") == []
    assert reader.half_open
    assert reader.feed(b"\r\x1c\r\x0bMSH") == [Frame(b"MSH|...\r")]


def test_several_frames_in_one_read() -> None:
    assert FrameReader().feed(wrap(A) + wrap(B) + wrap(A)) == [Frame(A), Frame(B), Frame(A)]


def test_the_last_cr_is_missing_and_the_next_frame_follows() -> None:
    assert FrameReader().feed(b"\x0b" + A + b"\x1c" + wrap(B)) == [Frame(A), Frame(B)]


def test_the_last_cr_is_missing_and_the_line_pauses() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x0b" + A + b"\x1c") == []
    assert reader.pause() == [Frame(A)]
    assert reader.feed(wrap(B)) == [Frame(B)]


def test_a_line_feed_instead_of_the_last_cr() -> None:
    assert FrameReader().feed(b"\x0b" + A + b"\x1c\n" + wrap(B)) == [Frame(A), Frame(B)]
    reader = FrameReader()
    assert reader.feed(b"\x0b" + A + b"\x1c\n") == []
    assert reader.pause() == [Frame(A)]
    content = b"MSH|^~\\&|X\rOBX|1|TX|||a\x1c\nb\r"
    assert FrameReader().feed(wrap(content)) == [Frame(content)]


def test_a_pause_inside_a_message_ends_nothing() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x0b" + A[:30]) == []
    assert reader.pause() == []
    assert reader.feed(A[30:] + b"\x1c\r") == [Frame(A)]


def test_fs_inside_the_message_is_payload() -> None:
    content = b"MSH|^~\\&|X\rOBX|1|TX|||a\x1cb\x1c|\r"
    assert FrameReader().feed(wrap(content)) == [Frame(content)]
    content = b"MSH|^~\\&|X\rOBX|1|TX|||ab\x1c\rOBX|2|TX|||c\r"
    assert FrameReader().feed(wrap(content)) == [Frame(content)]


def test_a_restart_drops_the_half_message_and_says_so() -> None:
    found = FrameReader().feed(b"\x0b" + A[:40] + wrap(B))
    assert found == [Fault(FaultKind.RESTARTED, A[:40], 40), Frame(B)]


def test_vt_inside_a_value_is_payload() -> None:
    content = b"MSH|^~\\&|X\rNTE|1||line\x0btab\r"
    assert FrameReader().feed(wrap(content)) == [Frame(content)]


def test_junk_before_a_frame_is_skipped_and_reported() -> None:
    assert FrameReader().feed(b"hello\r\n" + wrap(A)) == [Fault(FaultKind.JUNK, b"hello", 5), Frame(A)]
    assert FrameReader().feed(b"\r\n\r\n" + wrap(A)) == [Frame(A)]


def test_a_message_without_its_start_is_named_not_taken() -> None:
    found = FrameReader().feed(A + b"\x1c\r" + wrap(B))
    assert found == [Fault(FaultKind.UNFRAMED, A.strip(), len(A) - 1), Frame(B)]


def test_an_empty_frame_is_no_message() -> None:
    assert FrameReader().feed(b"\x0b\x1c\r" + wrap(A)) == [Fault(FaultKind.EMPTY, b"", 0), Frame(A)]


@pytest.mark.parametrize("chunk", [1, 7, 1000, 10**6])
def test_over_the_limit_is_skipped_with_its_head_and_the_line_lives_on(chunk: int) -> None:
    reader = FrameReader(limit=20_000)
    stream = wrap(A + b"OBX|" + b"x" * 50_000 + b"\r") + wrap(B)
    found = [each for at in range(0, len(stream), chunk) for each in reader.feed(stream[at : at + chunk])]
    fault, frame = found
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.TOO_LONG
    assert fault.head.startswith(A)
    assert fault.size == len(A) + 50_005
    assert frame == Frame(B)


def test_a_message_at_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert FrameReader(limit=len(A)).feed(wrap(A)) == [Frame(A)]
    [fault] = FrameReader(limit=len(A) - 1).feed(wrap(A))
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.TOO_LONG


def test_what_the_closed_line_left_unfinished_is_reported() -> None:
    reader = FrameReader()
    reader.feed(b"\x0b" + A[:30])
    assert reader.close() == [Fault(FaultKind.TRUNCATED, A[:30], 30)]
    assert reader.close() == []


payloads = st.binary(min_size=1, max_size=300).map(lambda b: b"MSH|" + b.replace(b"\x0b", b" ").replace(b"\x1c", b"\x1e") + b"\r")


@given(st.lists(payloads, min_size=1, max_size=6), st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_any_messages_cut_anywhere_come_out_as_they_went_in(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(wrap(message) for message in messages)
    reader, found, at, turn = FrameReader(), [], 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        found += reader.feed(stream[at : at + step])
        at, turn = at + step, turn + 1
    assert found == [Frame(message) for message in messages]


@settings(max_examples=300)
@given(st.lists(st.sampled_from([b"\x0b", b"\x1c", b"\r", b"MSH|", A, B[:20], b"junk", b"\n"]), max_size=30), st.integers(1, 9))
def test_no_noise_breaks_the_reader_and_a_good_message_after_it_is_read(noise: list[bytes], chunk: int) -> None:
    stream = b"".join(noise) + b"\x1c\r" + wrap(B)
    reader, found = FrameReader(limit=200), []
    for at in range(0, len(stream), chunk):
        found += reader.feed(stream[at : at + chunk])
    assert found[-1] == Frame(B)
    assert reader.close() == []


@settings(max_examples=300)
@given(st.lists(st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"MSH|", A, b" \n\x00", b"ZZZ|1"]), max_size=6).map(b"".join))
def test_a_read_taken_whole_is_what_it_is_when_it_comes_in_two(inner: bytes) -> None:
    for received in (inner, wrap(inner), wrap(A + inner)):
        content = FrameReader(limit=120).whole(received)
        two = FrameReader(limit=120)
        if content is not None:
            assert two.feed(received[:1]) + two.feed(received[1:]) == [Frame(content)]
    assert FrameReader().whole(wrap(A)) == A


def test_nothing_is_taken_whole_while_something_is_left_of_the_read_before() -> None:
    reader = FrameReader()
    reader.feed(b"\x0b" + A[:30])
    assert reader.whole(wrap(B)) is None
    assert reader.feed(wrap(B)) == [Fault(FaultKind.RESTARTED, A[:30], 30), Frame(B)]


@pytest.mark.parametrize(
    ("read", "times"),
    [(b"\x0bx\x1c\r" * 32_768, 1), (b"\x0bMSH" * 65_536, 1), (b"no frame" * 64, 16_384), (b"\x0bMSH|" + b"\x1cx\x0by" * 16_384, 4)],
    ids=["tiny frames", "restarts", "junk in little pieces", "edges that are none"],
)
def test_what_a_line_is_filled_with_costs_by_its_length_alone(read: bytes, times: int) -> None:
    reader, began = FrameReader(limit=32 << 20), time.process_time()
    for _ in range(times):
        reader.feed(read)
    assert time.process_time() - began < 5, "all lines of a process share its time: tenths of a second, where it once was a minute"
