"""Several messages in one block: FHS/BHS batches, and files in which messages simply follow one another.

Cutting happens on bytes at line starts, which is safe in every character set in use: no trail byte is a carriage return or a line feed.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from healthsvc.errors import TooLarge
from integrations.hl7v2.charset import wide
from integrations.mllp.framing import FS, VT

_HEADER = rb"(?:\xef\xbb\xbf)?[ \t]*(?=(?:MSH|FHS|BHS|BTS|FTS)(?:[^\w\r\n]|[\r\n]|\Z))"
_FIRST, _NEXT = re.compile(_HEADER), re.compile(rb"[\r\n\x0b]" + _HEADER)
"""Two, because what begins with a set of characters is searched several times as fast as what may begin anywhere."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of a block in order, each with its exact bytes, and the lines around them."""

    messages: tuple[bytes, ...]
    envelope: tuple[bytes, ...] = ()
    """FHS, BHS, BTS and FTS lines in order."""
    stray: tuple[bytes, ...] = ()
    """What stands before the first header and is not blank."""

    @property
    def announced(self) -> int | None:
        """How many messages the trailers (BTS-1, summed) say there should be; None where they say nothing."""
        counts = [line.split(line[3:4])[1].strip() for line in self.envelope if line.startswith(b"BTS") and len(line) > 4]
        numbers = [int(count) for count in counts if count.isdigit()]
        return sum(numbers) if numbers else None


def is_batch(block: bytes) -> bool:
    """Whether a block is an FHS or BHS batch."""
    return block.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"FHS", b"BHS"))


def holds_several(block: bytes) -> bool:
    """Whether a block must be cut: a batch, or messages that follow one another in one frame without a batch around them."""
    # the name alone is found some ten times as fast as a header, and is in hardly any message a second time
    if block.find(b"MSH", block.find(b"MSH") + 3) < 0:
        return block[:3] != b"MSH" and is_batch(block)
    return is_batch(block) or sum(1 for _, name in _headers(block) if block[name : name + 3] == b"MSH") > 1


def split(block: bytes) -> Batch:
    """Cut a block into its messages; MLLP envelope bytes around them are taken off, everything else stays exactly as it is."""
    if (codec := wide(block)) is not None:
        return _split_wide(block, codec)
    starts = [start for start, _ in _headers(block)]
    if not starts:
        return Batch((), (), (block,) if block.strip() else ())
    stray = block[: starts[0]].strip(b"\r\n \t\xef\xbb\xbf" + VT + FS)
    messages: list[bytes] = []
    envelope: list[bytes] = []
    for start, stop in zip(starts, [*starts[1:], len(block)], strict=True):
        piece = _without_envelope(block[start:stop])
        if piece.lstrip(b"\xef\xbb\xbf \t").startswith(b"MSH"):
            messages.append(piece)
        else:
            envelope.append(piece.strip())
    return Batch(tuple(messages), tuple(envelope), (stray,) if stray else ())


def _headers(block: bytes) -> Iterator[tuple[int, int]]:
    """Where a header begins, and where its name stands."""
    if (first := _FIRST.match(block)) is not None:
        yield 0, first.end()
    for found in _NEXT.finditer(block):
        yield found.start() + 1, found.end()


def _split_wide(block: bytes, codec: str) -> Batch:
    """A block in UTF-16: cut as text, each message in the characters in which it came."""
    found = split(block.decode(codec, "surrogatepass").lstrip("\ufeff").encode("utf-8", "surrogatepass"))
    return replace(found, messages=tuple(one.decode("utf-8", "surrogatepass").encode(codec, "surrogatepass") for one in found.messages))


def messages_of(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """The messages of a file or body that comes in pieces, as :func:`split` would give them; holds one message and one piece at a time.

    Raises:
        TooLarge: one message is longer than ``limit`` bytes; those before it have been given.
    """
    pieces = iter(chunks)
    first = next(pieces, b"")
    if (codec := wide(first)) is not None:
        for message in _messages_of(_narrow(chain([first], pieces), codec), limit):
            yield message.decode("utf-8", "surrogatepass").encode(codec, "surrogatepass")
        return
    yield from _messages_of(chain([first], pieces), limit)


def _narrow(chunks: Iterable[bytes], codec: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)("surrogatepass")
    for chunk in chunks:
        yield decoder.decode(chunk).lstrip("\ufeff").encode("utf-8", "surrogatepass")


def _messages_of(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        held += chunk
        # a header is only one when the character after its name is known
        starts = [start for start, name in _headers(held) if name + 4 <= len(held)]
        for start, stop in pairwise(starts):
            yield from split(held[start:stop]).messages
        if starts:
            held = held[starts[-1] :]
        if len(held) > limit + len(chunk):
            raise TooLarge(f"a message is longer than {limit} bytes; nothing after it was read", reason="too-long")
    yield from split(held).messages


def batch_head(block: bytes) -> bytes:
    """The header of an answer to a batch, in the batch's own delimiters."""
    separator, encoding = _delimiters(block)
    return b"".join((b"BHS", separator, encoding, b"\r"))


def batch_tail(block: bytes, count: int, announced: int | None) -> bytes:
    """The trailer of an answer to a batch: how many results there are, and in BTS-2 what the sender's trailer announced, if it differs."""
    separator = _delimiters(block)[0]
    comment = b"" if announced in (None, count) else separator + f"BTS-1 announced {announced} messages, {count} came".encode()
    return b"".join((b"BTS", separator, str(count).encode(), comment, b"\r"))


def _delimiters(block: bytes) -> tuple[bytes, bytes]:
    body = block.removeprefix(b"\xef\xbb\xbf").lstrip()
    separator = body[3:4] or b"|"
    return separator, body[4:14].split(separator)[0].split(b"\r")[0] or b"^~\\&"


def _without_envelope(piece: bytes) -> bytes:
    end = piece.rfind(FS)
    if end >= 0 and not piece[end + 1 :].strip(b"\r\n \t" + VT):
        piece = piece[:end]
    return piece.rstrip(VT)
