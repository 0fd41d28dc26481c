"""姓名: split a Chinese name by the surname table; what cannot be split for certain stays whole."""

import re
import unicodedata
from typing import Final

from healthsvc.surnames import DOUBLE_SURNAMES

_HAN: Final = re.compile(r"[㐀-鿿豈-﫿\U00020000-\U000323af]+")
_DOTS: Final = str.maketrans(dict.fromkeys("•・‧∙.．。", "·"))


def normal(text: str) -> str:
    """A name in one way of writing: NFKC, no spaces between Chinese characters, one kind of middle dot."""
    text = unicodedata.normalize("NFKC", text).strip()
    if any(_HAN.fullmatch(one) for one in text):
        return re.sub(r"\s+", "", text).translate(_DOTS)
    return re.sub(r"\s+", " ", text)


def split(name: str) -> tuple[str, str] | None:
    """Family and given name of a Chinese name; None where it is not certain (one character, a middle dot, Latin letters).

    A married woman's double surname (four characters, two single surnames) is left whole too.
    """
    if not _HAN.fullmatch(name) or len(name) < 2:
        return None
    if len(name) > 2 and name[:2] in DOUBLE_SURNAMES:
        return name[:2], name[2:]
    return (name[0], name[1:]) if len(name) <= 3 else None
