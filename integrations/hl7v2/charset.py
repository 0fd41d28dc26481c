"""Which character set a message is in: decided on the bytes, before anything is split.

GB18030 trail bytes include ``\\ ^ | ~``, so text must be decoded before it is cut. Labels lie (UTF-8 under ``GBK`` has been seen, and
Chinese text without any label is the rule), bytes do not: strict UTF-8 first, then the link's own set, then MSH-18. Undecodable bytes
are refused, never guessed: a wrong character in a name is worse than a message on the quarantine list.
"""

import codecs
import re
from typing import NamedTuple

from healthsvc.errors import Invalid, Malformed

ASCII = "ascii"
UTF_8 = "utf-8"
_BOM = codecs.BOM_UTF8
_MARK = "\ufeff"
_WIDE_LE, _WIDE_BE = (frozenset(name.encode(codec) for name in ("MSH", "FHS", "BHS")) for codec in ("utf-16-le", "utf-16-be"))
_THREE_BYTES = 0x800
_LABEL = re.compile(r"[A-Za-z0-9 /._-]{1,32}")
_PAIR = re.compile(rb"[\x80-\xff][\x00-\xff]")

_C1 = re.compile(rb"[\x80-\x84\x86-\x9f]")
_SINGLE_BYTE = re.compile(r"iso8859-\d+|cp1252")

_ALIASES = (
    {
        "ASCII": ASCII,
        "UNICODE": UTF_8,
        "UNICODEUTF8": UTF_8,
        "UNICODEUTF16": "utf-16",
        "UNICODEUTF32": "utf-32",
        "UTF8": UTF_8,
        "UTF16": "utf-16",
        "CP65001": UTF_8,
        "GB18030": "gb18030",
        "GB180302000": "gb18030",
        "GB180302005": "gb18030",
        "GB180302022": "gb18030",
        "GBK": "gb18030",
        "CP936": "gb18030",
        "MS936": "gb18030",
        "GB2312": "gb18030",
        "GB23121980": "gb18030",
        "EUCCN": "gb18030",
        "BIG5": "cp950",
        "CP950": "cp950",
        "CNS116431992": "cp950",
        "ISOIR87": "iso2022_jp",
        "ISOIR159": "iso2022_jp",
        "KSX1001": "cp949",
        "WINDOWS1252": "cp1252",
        "CP1252": "cp1252",
    }
    | {f"8859{n}": f"iso8859-{n}" for n in range(1, 17) if n != 12}
    | {f"ISO8859{n}": f"iso8859-{n}" for n in range(1, 17) if n != 12}
)
WIDE_HEAD = 8192
"""Bytes of a message in UTF-16 within which its header ends."""


class Decoded(NamedTuple):
    """A message as text, and how to write it back: the codec, and whether a byte order mark stood in front."""

    text: str
    codec: str
    """Python's name of the character set that the bytes were in; ``ascii`` where every set would have said the same."""
    bom: bool = False

    def encode(self, text: str) -> bytes:
        """Write text in the same set; what was plain ASCII until now takes any character, as UTF-8.

        Raises:
            Invalid: the set has no such character. The text names the set, never the character.
        """
        codec = UTF_8 if self.codec == ASCII else self.codec
        try:
            return (_MARK.encode(codec) if self.bom else b"") + text.encode(codec)
        except UnicodeEncodeError:
            why = f"the message is in {codec}, which cannot write this value; ask the hospital to send it anew"
            raise Invalid(why, path="MSH-18", reason="charset-value") from None


def codec_of(label: str) -> str | None:
    """The codec that an MSH-18 label or a link setting means (table 0211 and the labels seen in the field); None for an unknown one."""
    key = re.sub(r"[^A-Z0-9]", "", label.upper())
    return _ALIASES.get(key)


def decode(raw: bytes, link: str | None = None, unlabelled: str | None = None) -> Decoded:
    """Read the bytes of one message as text.

    ``link`` is the character set that the link profile names, used before MSH-18 where the bytes are not UTF-8; ``unlabelled`` is the
    one that it assumes where MSH-18 is empty or unknown.

    Raises:
        Malformed: the bytes fit neither UTF-8 nor the link's nor the declared set; the text gives the place of the first wrong byte.
    """
    if (codec := wide(raw)) is not None:
        return _wide(raw, codec)
    if raw.isascii():
        return Decoded(raw.decode(ASCII), ASCII)
    bom = raw.startswith(_BOM)
    body = raw[len(_BOM) :] if bom else raw
    try:
        return Decoded(body.decode(UTF_8), UTF_8, bom)
    except UnicodeDecodeError as error:
        wrong = error.start
    declared = _declared(body)
    candidates = [codec_of(link or ""), codec_of(declared)]
    if _plausible(body) and (candidates[1] is None or (candidates[1] in (UTF_8, ASCII) and _was_never_utf_8(body))):
        candidates.append(codec_of(unlabelled or ""))
    for codec in candidates:
        if codec in (None, UTF_8, ASCII) or (codec != candidates[0] and _lies(codec, body)):
            continue
        try:
            decoded = Decoded(body.decode(codec), codec, bom)
            if decoded.encode(decoded.text) == raw:
                return decoded
        except (UnicodeError, Invalid):
            continue
    label = "empty" if not declared else declared if _LABEL.fullmatch(declared) else "unreadable"
    guessed = f"; bytes without a label are taken for {unlabelled}, where they look like it" if unlabelled and not declared else ""
    raise Malformed(
        f"the message is not valid UTF-8 (byte {wrong}) and fits neither the link's character set ({link or 'none set'}) "
        f"nor MSH-18 ({label}){guessed}; set the link's charset or mend the sender",
        path="MSH-18",
        reason="charset",
    )


def _plausible(body: bytes) -> bool:
    """Whether unlabelled bytes look like Chinese: most characters in two high bytes, unlike Western text with single ones."""
    pairs = _PAIR.findall(body)
    return 2 * sum(1 for pair in pairs if pair[1] >= 0x80) >= len(pairs)


def _was_never_utf_8(body: bytes) -> bool:
    """Whether a UTF-8 label is refuted altogether: several pairs of high bytes, and of the characters that UTF-8 writes in three bytes or
    more, Chinese ones among them, not one. A text that was cut or damaged on its way has some; it is refused, never read as another."""
    return len(_PAIR.findall(body)) > 1 and all(ord(one) < _THREE_BYTES for one in body.decode(UTF_8, "ignore"))


def _lies(codec: str, body: bytes) -> bool:
    """Whether a label names a set of single bytes, which takes anything, over bytes that come in pairs as Chinese does: most of them with a
    second byte as high as the first, or with bytes that ISO 8859 has for control characters alone."""
    if not _SINGLE_BYTE.fullmatch(codec):
        return False
    return (len(_PAIR.findall(body)) > 1 and _plausible(body)) or (codec.startswith("iso8859") and _C1.search(body) is not None)


def wide(raw: bytes) -> str | None:
    """Whether bytes are UTF-16, by their mark or by a header in characters of two bytes; gives the codec. HL7 v2.5 C.4.3 has no place
    for it on MLLP, yet files and some senders are written so."""
    if raw[:2] == codecs.BOM_UTF16_LE or raw[:6] in _WIDE_LE:
        return "utf-16-le"
    return "utf-16-be" if raw[:2] == codecs.BOM_UTF16_BE or raw[:6] in _WIDE_BE else None


def header_line(raw: bytes) -> str:
    """The first line as text in which every byte is a character: good enough to find who sends, and to answer the undecodable."""
    if (codec := wide(raw)) is not None:
        return raw[:WIDE_HEAD].decode(codec, "ignore").lstrip("\ufeff \t\r\n").partition("\r")[0].partition("\n")[0]
    body = raw.removeprefix(b"\xef\xbb\xbf").lstrip()
    line = body.partition(b"\r")[0].partition(b"\n")[0]
    for codec in ("utf-8", "gb18030"):
        try:
            return line.decode(codec)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")


def _wide(raw: bytes, codec: str) -> Decoded:
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError as error:
        raise Malformed(f"the message begins as {codec} and is not (byte {error.start})", path="MSH-18", reason="charset") from None
    return Decoded(text.removeprefix(_MARK), codec, text.startswith(_MARK))


def _declared(body: bytes) -> str:
    """MSH-18 read from the bytes. The header is read as GB18030-safe text: a byte of 0x80 or more takes the byte after it along."""
    line = re.split(rb"[\r\n]", body, maxsplit=1)[0]
    if len(line) < 4:
        return ""
    separator = line[3:4]
    fields: list[bytes] = [b""]
    at = 0
    while at < len(line):
        step = 2 if line[at] >= 0x80 else 1
        piece = line[at : at + step]
        if piece == separator:
            fields.append(b"")
        else:
            fields[-1] += piece
        at += step
    if len(fields) < 18:
        return ""
    label = fields[17].decode("latin-1")
    return next((part for part in label.split("~") if codec_of(part) not in (None, ASCII, UTF_8)), label)
