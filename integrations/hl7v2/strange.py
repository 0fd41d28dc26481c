"""Words of a sender that its link profile does not know: what an engineer still has to ask the hospital about."""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final

from healthsvc.fhir.flags import FLAGS
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.maps import care
from integrations.hl7v2.masking import shape
from integrations.hl7v2.values import clean
from integrations.hospitals.profile import Profile

_CODE: Final = re.compile(r"[A-Za-z0-9]{1,3}|[↑↓+\-]{1,4}")
"""What can be nobody's name or number and is shown as it is; anything else by its shape, for a sender may have shifted its fields."""
_KIND: Final = re.compile(
    r"[A-Za-z]+|DE\d{2}\.\d{2}\.\d{3}\.\d{2}|[就诊卡住院门急病历案档健康医社保险身份居民证登记主索引患者标识编号码电子]{1,9}[号卡证码]"
)
"""What names a kind of number: a word, a data element of WS 363 or WS 445, Chinese made of nothing but the words for numbers and cards."""
_TRANSACTIONS: Final = frozenset({"CG", "CD", "PY", "AJ", "CO"})


def strange_words(message: Message, profile: Profile) -> Iterator[tuple[str, str]]:
    """Each place and word that stands there and is in no table of the profile nor of the standard; the message is taken all the same.

    Sex (PID-8), kind of a number (PID-3.5), class of a visit (PV1-2), flag of a result (OBX-8), kind of a transaction (FT1-6), state of
    an appointment (SCH-25).
    """
    yield from _plain(message, profile)
    for cx in (cx for pid in message.all("PID") for cx in pid[3].repetitions):
        kind, authority = clean(cx.component(5).text), cx.component(4)
        words = tuple(clean(authority.subcomponent(n).text) for n in (1, 2, 3))
        if kind and profile.number(kind, (*words, clean(authority.text))) not in profile.numbers:
            yield "PID-3.5", kind if _KIND.fullmatch(kind) else shape(kind)


def _plain(message: Message, profile: Profile) -> Iterator[tuple[str, str]]:
    upper, folded = str.upper, str.casefold
    places: tuple[tuple[str, int, Callable[[str], str], Collection[str]], ...] = (
        ("PID", 8, folded, profile.sex),
        ("PV1", 2, folded, profile.visit_class),
        ("OBX", 8, upper, {*profile.abnormal, *FLAGS}),
        ("FT1", 6, upper, {*profile.transaction, *_TRANSACTIONS}),
        ("SCH", 25, upper, {*profile.appointment, *care.APPOINTMENT_STATUS}),
    )
    for segment, field, fold, known in places:
        for one in message.all(segment):
            for value in one[field].repetitions:
                said = [clean(value.component(n).text, profile.nothing) for n in (1, 2)]
                if any(said) and not any(fold(word) in known for word in said if word):
                    word = next(filter(None, said))
                    yield f"{segment}-{field}", word if _CODE.fullmatch(word) else shape(word)
