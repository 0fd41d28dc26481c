"""FHIRPath text into a tree (FHIRPath N1, the part that R4's own definitions use).

A node is a tuple: ``("name", text)``, ``("call", text, args)``, ``("dot", left, right)``, ``("index", left, node)``, ``("lit", value)``,
``("var", text)``, ``("op", sign, left, right)``, ``("neg", node)``, ``("moment", text)``, ``("quantity", value, unit)``,
``("type", "is" | "as", left, type name)``, ``("empty",)``.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from healthsvc.errors import Invalid

Node: TypeAlias = tuple[Any, ...]

TOKEN = re.compile(
    r"(?:\s|//[^\n]*|/\*.*?\*/)*(?:(?P<str>'(?:[^'\\]|\\.)*')|(?P<num>\d+(?:\.\d+)?)|(?P<date>@(?:\d{4}(?:-\d\d(?:-\d\d)?)?(?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)?(?:Z|[+-]\d\d:\d\d)?)?|T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?))|(?P<name>[A-Za-z_]\w*|`[^`]+`)"
    r"|(?P<var>%(?:\w+|`[^`]+`))|(?P<self>\$\w+)|(?P<op><=|>=|!=|!~|[|=<>~+\-*/&.,()\[\]{}])|(?P<end>$))",
    re.DOTALL,
)
LEVELS: tuple[tuple[str, ...], ...] = (
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("in", "contains"),
    ("=", "!=", "~", "!~"),
    ("<=", "<", ">", ">="),
    ("|",),
    ("is", "as"),
    ("+", "-", "&"),
    ("*", "/", "div", "mod"),
)
"""Binary operators from the loosest to the tightest, as the N1 grammar orders them."""
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
UNITS = frozenset(one + end for one in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond") for end in ("", "s"))
"""Words for spans of time that may follow a number."""


def unescaped(text: str) -> str:
    """A string literal without its escapes."""
    return re.sub(
        r"\\(?:u([0-9A-Fa-f]{4})|(.))", lambda found: chr(int(found[1], 16)) if found[1] else ESCAPES.get(found[2], found[2]), text
    )


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Read an expression.

    Raises:
        Invalid: it is not FHIRPath; the text says where.
    """
    try:
        return Reader(text).whole()
    except RecursionError:
        raise Invalid("not FHIRPath that anybody wrote by hand: it is nested too deeply") from None


class Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text):
            found = TOKEN.match(text, place)
            if not found:
                raise Invalid(f"not FHIRPath at character {place + 1} of the expression")
            if found.lastgroup != "end":
                self.tokens.append((str(found.lastgroup), found.group(str(found.lastgroup))))
            place = found.end()
        self.at = 0

    def whole(self) -> Node:
        """The expression and nothing after it."""
        node = self.binary(0)
        if self.at < len(self.tokens):
            raise Invalid(f"not FHIRPath: {self.tokens[self.at][1]!r} is not expected there")
        return node

    def peek(self) -> tuple[str, str]:
        """The next token without taking it."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, wanted: str | None = None) -> tuple[str, str]:
        """Take the next token; it must be ``wanted`` if that is given."""
        token = self.peek()
        if token[0] == "end" or (wanted is not None and token[1] != wanted):
            raise Invalid(f"not FHIRPath: {wanted or 'something'!r} is missing")
        self.at += 1
        return token

    def binary(self, level: int) -> Node:
        """Operators of one level, left to right."""
        if level == len(LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek()[0] in ("op", "name") and self.peek()[1] in LEVELS[level]:
            sign = self.take()[1]
            is_type = sign in ("is", "as")
            left = ("type", sign, left, self.type_name()) if is_type else ("op", sign, left, self.binary(level + 1))
        return left

    def type_name(self) -> str:
        """``Patient``, ``FHIR.Patient``, ``System.String``."""
        name = self.take()[1].strip("`")
        while self.peek()[1] == ".":
            self.take()
            name = self.take()[1].strip("`")
        return name

    def unary(self) -> Node:
        """A sign before a term."""
        if self.peek() in (("op", "-"), ("op", "+")):
            sign = self.take()[1]
            node = self.postfix()
            return ("neg", node) if sign == "-" else node
        return self.postfix()

    def postfix(self) -> Node:
        """A term with its dots and indexes."""
        node = self.term()
        while self.peek() in (("op", "."), ("op", "[")):
            if self.take()[1] == ".":
                node = ("dot", node, self.member())
            else:
                node = ("index", node, self.binary(0))
                self.take("]")
        return node

    def member(self) -> Node:
        """A name or a call after a dot."""
        kind, text = self.take()
        if kind == "self":
            return ("var", text)
        if kind != "name":
            raise Invalid(f"not FHIRPath: {text!r} cannot follow a dot")
        return self.named(text)

    def named(self, text: str) -> Node:
        """A name, or a call where brackets follow."""
        if self.peek() != ("op", "("):
            return ("name", text.strip("`"))
        self.take()
        args: list[Node] = []
        while self.peek() != ("op", ")"):
            args.append(self.binary(0))
            if self.peek() == ("op", ","):
                self.take()
        self.take(")")
        return ("call", text, tuple(args))

    def number(self, text: str) -> Node:
        """A number, or a quantity where a unit follows."""
        kind, unit = self.peek()
        if kind == "str" or (kind == "name" and unit in UNITS):
            self.take()
            return ("quantity", Decimal(text), unescaped(unit[1:-1]) if kind == "str" else unit)
        return ("lit", Decimal(text) if "." in text else int(text))

    def term(self) -> Node:
        """A literal, a variable, brackets or a name."""
        kind, text = self.take()
        if kind == "str":
            return ("lit", unescaped(text[1:-1]))
        if kind == "num":
            return self.number(text)
        if kind == "date":
            return ("moment", text[1:])
        if kind in ("var", "self"):
            return ("var", text.replace("`", ""))
        if kind == "name":
            return ("lit", text == "true") if text in ("true", "false") and self.peek() != ("op", "(") else self.named(text)
        if text == "(":
            node = self.binary(0)
            self.take(")")
            return node
        if text == "{":
            self.take("}")
            return ("empty",)
        raise Invalid(f"not FHIRPath: {text!r} is not expected there")
