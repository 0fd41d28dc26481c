"""姓名: split a Chinese name by the surname table; what cannot be split for certain stays whole."""

import re
import unicodedata
from typing import Final

COMPOUND: Final = frozenset(
    re.findall(
        "..",
        "欧阳太史端木上官司马东方独孤南宫万俟闻人夏侯诸葛尉迟公羊赫连澹台皇甫宗政濮阳公冶太叔申屠公孙慕容仲孙钟离长孙宇文司徒鲜于司空闾丘"
        "子车亓官司寇巫马公西颛孙壤驷公良漆雕乐正宰父谷梁拓跋夹谷轩辕令狐段干百里呼延东郭南门羊舌微生梁丘左丘东门西门第五纳兰完颜叶赫那拉",
    )
)
"""Surnames of two characters."""

READINGS: Final = {
    "单": "shan",
    "曾": "zeng",
    "仇": "qiu",
    "解": "xie",
    "盖": "ge",
    "区": "ou",
    "查": "zha",
    "覃": "qin",
    "任": "ren",
    "朴": "piao",
    "华": "hua",
    "纪": "ji",
    "缪": "miao",
    "尹": "yin",
    "洗": "xian",
    "冼": "xian",
    "员": "yun",
    "乐": "yue",
    "翟": "zhai",
    "么": "yao",
    "尉迟": "yuchi",
    "万俟": "moqi",
    "长孙": "zhangsun",
    "澹台": "tantai",
}
"""How a character is read as a surname where the dictionary's first reading is another."""

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
    if len(name) > 2 and name[:2] in COMPOUND:
        return name[:2], name[2:]
    return (name[0], name[1:]) if len(name) <= 3 else None


def masked(name: str) -> str:
    """A name as lists may show it: the surname and one star for each further character."""
    family = (split(name) or (name[:1], ""))[0]
    return family + "*" * max(len(name) - len(family), 1)
