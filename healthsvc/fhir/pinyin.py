"""Chinese names as Latin letters, so that 单国强 is found by ``shanguoqiang``, ``shan`` or ``sgq``.

Readings come from pypinyin; surnames that are read otherwise than the same character elsewhere come from the table here.
"""

import os
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice, product

from healthsvc.fhir.text import fold, is_han
from healthsvc.surnames import DOUBLE_SURNAMES

# Names are read by their characters: without its 47,000 phrases and copies of its tables pypinyin says the same and holds 13 MB, not 57
os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")
os.environ.setdefault("PYPINYIN_NO_DICT_COPY", "1")

SURNAMES: dict[str, str] = {
    "单": "shan", "曾": "zeng", "仇": "qiu", "解": "xie", "盖": "ge", "区": "ou", "查": "zha", "覃": "qin", "任": "ren", "朴": "piao",
    "翟": "zhai", "乐": "yue", "员": "yun", "尉": "wei", "朝": "chao", "种": "chong", "繁": "po", "缪": "miao", "折": "she", "秘": "bi",
    "冼": "xian", "洗": "xian", "华": "hua", "纪": "ji", "那": "na", "宁": "ning", "葛": "ge", "于": "yu", "黑": "he", "阚": "kan",
    "郗": "xi", "召": "shao", "重": "chong", "祭": "zhai", "逄": "pang", "麻": "ma", "牟": "mu", "佴": "nai", "过": "guo", "万": "wan",
    "尹": "yin", "晟": "cheng", "洪": "hong", "沈": "shen", "石": "shi", "吕": "lv", "瞿": "qu", "隗": "wei", "幺": "yao", "应": "ying",
    "都": "du", "句": "gou", "乜": "nie", "谌": "chen", "颉": "xie", "粘": "nian", "贲": "ben", "能": "nai", "藏": "zang", "六": "lu",
    "角": "jue", "卜": "bu", "令": "ling", "车": "che", "盛": "sheng", "柏": "bai", "费": "fei", "燕": "yan", "占": "zhan", "相": "xiang",
    "撒": "sa", "干": "gan", "郇": "xun", "曲": "qu", "臧": "zang", "逯": "lu", "笪": "da", "訾": "zi", "宓": "mi", "强": "qiang",
}  # fmt: skip
"""One-character surnames whose reading as a surname is fixed."""
OTHER_READINGS: dict[str, tuple[str, ...]] = {
    "乐": ("le",),
    "宁": ("ning",),
    "盖": ("gai",),
    "区": ("qu",),
    "吕": ("lu", "lyu"),
    "翟": ("di",),
    "费": ("bi",),
    "柏": ("bo",),
    "谌": ("shen",),
    "郇": ("huan",),
    "隗": ("kui",),
    "晟": ("sheng",),
    "那": ("nuo",),
    "耶律": ("ye lu",),
}
"""Second readings of surnames that families do use, or that keyboards without ü write."""
GIVEN_READINGS: dict[str, tuple[str, ...]] = {
    "长": ("chang", "zhang"), "朝": ("chao", "zhao"), "重": ("zhong", "chong"), "行": ("xing", "hang"), "乐": ("le", "yue"),
    "盛": ("sheng", "cheng"), "传": ("chuan", "zhuan"), "参": ("shen", "can"), "茜": ("qian", "xi"), "莎": ("sha", "suo"),
    "娜": ("na", "nuo"), "筠": ("yun", "jun"), "澄": ("cheng", "deng"), "禅": ("chan", "shan"), "柏": ("bai", "bo"), "伯": ("bo", "bai"),
    "薄": ("bo", "bao"), "降": ("jiang", "xiang"), "解": ("jie", "xie"), "会": ("hui", "kuai"), "觉": ("jue", "jiao"),
    "晟": ("sheng", "cheng"), "车": ("che", "ju"), "曾": ("zeng", "ceng"), "单": ("dan", "shan"),
    "都": ("du", "dou"), "藏": ("zang", "cang"), "石": ("shi", "dan"),
    "厦": ("xia", "sha"), "炅": ("jiong", "gui"), "圩": ("wei", "xu"), "阿": ("a", "e"), "约": ("yue", "yao"), "洗": ("xi", "xian"),
}  # fmt: skip
"""Characters that given names read in two ways; whoever types either finds the person."""
MOST = 12
"""Most spellings of one name that are indexed."""


def split(name: str) -> tuple[str, str]:
    """Family and given name of a Chinese name as one writes it: 欧阳修 -> 欧阳, 修; a single character is a family name."""
    bare = "".join(fold(name).split()).replace("·", "")
    head = 2 if len(bare) > 2 and bare[:2] in DOUBLE_SURNAMES else 1
    return bare[:head], bare[head:]


@lru_cache(maxsize=8192)
def spellings(name: str, family: str | None = None) -> tuple[str, ...]:
    """How the name may be typed: full pinyin, family name and initials, initials only, for each reading; the longest first.

    Empty if there is no Chinese character in it.

    >>> spellings("单国强")
    ('shanguoqiang', 'shangq', 'sgq')
    """
    found: dict[str, None] = {}
    for family_read, given in _read(name, family):
        initials = "".join(one[0] for one in given)
        found["".join((*family_read, *given))] = None
        found["".join(family_read) + initials] = None
        found["".join(one[0] for one in family_read) + initials] = None
        if len(found) >= MOST:
            break
    return tuple(sorted(found, key=lambda one: (-len(one), one)))


def full_spellings(name: str, family: str | None = None) -> tuple[str, ...]:
    """The name in full pinyin, for each reading; empty if there is no Chinese character in it."""
    return tuple(dict.fromkeys("".join((*family_read, *given)) for family_read, given in islice(_read(name, family), MOST)))


def _read(name: str, family: str | None) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """Syllables of the family and of the given name, reading by reading."""
    bare = "".join(one for one in fold(name) if is_han(one))
    if not bare:
        return
    head = len(family) if family and bare.startswith(family) else len(split(bare)[0])
    for first, *rest in product(family_readings(bare[:head]), *map(readings, bare[head:])):
        yield first.split(), tuple(rest)


def family_readings(family: str) -> tuple[str, ...]:
    """The readings of a surname, the usual one first; syllables apart by a space."""
    if family in DOUBLE_SURNAMES:
        return (DOUBLE_SURNAMES[family], *OTHER_READINGS.get(family, ()))
    if family in SURNAMES:
        return (SURNAMES[family], *OTHER_READINGS.get(family, ()))
    return (" ".join(readings(one)[0] for one in family),)


@lru_cache(maxsize=8192)
def readings(character: str) -> tuple[str, ...]:
    """The readings of a character in a given name, without tone; ü as v, as keyboards have it, and also as u."""
    if character in GIVEN_READINGS:
        return GIVEN_READINGS[character]
    from pypinyin import Style, lazy_pinyin

    usual = lazy_pinyin(character, style=Style.NORMAL, errors="default")[0].lower()
    return (usual, usual.replace("v", "u")) if "v" in usual else (usual,)
