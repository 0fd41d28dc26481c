"""What a listening end of MLLP lines puts up with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one listening end puts up with."""

    connections: int = 512
    per_peer: int = 128
    """Lines from one address."""
    message_bytes: int = 32 << 20
    unfinished_bytes: int = 256 << 20
    """Of the unfinished frames of all lines of a process together; never less than two of the longest. Who goes beyond is cut off."""
    unanswered_bytes: int = 256 << 20
    """Of the whole frames of all lines of a process together that wait for their answers. Beyond it, who holds more than a line's share is
    not read any further meanwhile."""
    half_frame_seconds: float = 30.0
    """How long an unfinished frame may stay without a further byte."""
    frame_seconds: float = 600.0
    """How long one frame may take altogether."""
    missing_end_seconds: float = 0.25
    """After so long a silence FS alone ends a frame."""
    handshake_seconds: float = 10.0
    """How long TLS may take to be agreed upon."""
    unread_seconds: float = 30.0
    """How long a peer may leave its answers unread."""
    in_flight: int = 64
    """Frames of one line that may wait for their answer before reading pauses."""
