"""What a sender is told whose message could not be stored."""

from healthsvc import clock
from healthsvc.errors import Refusal
from integrations.arrival import Arrival
from integrations.hl7v2.ack import COMMIT, AckCode, Problem, answer, encode_answer
from integrations.hl7v2.charset import ASCII, header_line
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header


def not_now(arrival: Arrival, number: str) -> None:
    """Nothing was stored: the sender is told to send it again."""
    arrival.code = AckCode.CE if arrival.code in COMMIT.values() else AckCode.AE
    arrival.answer, arrival.stored = b"", False
    try:
        header = arrival.read.header if arrival.read is not None else read_header(Message(header_line(arrival.raw)))
    except Refusal:
        return
    problem = Problem("not stored: the receiver cannot write now; send it again", "", "206")
    text = answer(header, arrival.code, at=clock.now(), number=number, problem=problem)
    arrival.answer = encode_answer(text, arrival.read.decoded.codec if arrival.read is not None else ASCII)
