# mypy: disable-error-code="no-untyped-call,untyped-decorator"
"""How compiled code reaches the arrays of the world: by one address.

numba hands a tuple of arrays over by value, some two hundred words a call, and looks at the lengths of an array at every element that is
read. So compiled functions get the address of a table (``World.table``) in which the address of every array stands and its lengths; which
type and how many columns an array has is known when they are compiled. A call costs one word, and the search compiles in a quarter of the
time.

Nothing here checks an index, and there is no counting from the end: -1 is never an index.
"""

import operator
from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import NativeValue, lower_builtin, lower_getattr_generic, register_model, typeof_impl, unbox

from healthsvc.dayplan.layout import SHEETS, WORDS, World

BYTES = 8
"""Length of a word of the table."""

DTYPES = {"i": types.int64, "f": types.float64, "b": types.uint8, "u": types.uint64}


class WorldType(types.Type):
    """The world as compiled code sees it: the address of its table."""

    def __init__(self) -> None:
        super().__init__("World")


class SheetType(types.Type):
    """One array of the world: the address of its row in the table."""

    def __init__(self, field: str) -> None:
        super().__init__(f"World.{field}")
        self.field = field
        kind, *lengths = SHEETS[field]
        self.dtype = DTYPES[str(kind)]
        self.lengths = tuple(lengths)

    @property
    def key(self) -> str:
        """What makes two of them the same type."""
        return self.field

    def index(self) -> Any:
        """The type of an index into it."""
        return types.intp if len(self.lengths) == 1 else types.UniTuple(types.intp, len(self.lengths))


WORLD = WorldType()


@typeof_impl.register(World)
def _typeof(value: World, context: Any) -> WorldType:
    return WORLD


@register_model(WorldType)
@register_model(SheetType)
class _Address(models.OpaqueModel):
    """Both are addresses."""


@unbox(WorldType)
def _unbox(typ: WorldType, value: Any, c: Any) -> Any:
    address = c.pyapi.object_getattr_string(value, "address")
    native = c.pyapi.long_as_voidptr(address)
    c.pyapi.decref(address)
    return NativeValue(native, is_error=c.pyapi.c_api_error())


@infer_getattr
class _Fields(AttributeTemplate):
    key = WorldType

    def generic_resolve(self, typ: WorldType, field: str) -> Any:  # type: ignore[override]
        """The type of ``w.field``."""
        return SheetType(field) if field in SHEETS else None


@lower_getattr_generic(WorldType)
def _field(context: Any, builder: Any, typ: WorldType, value: Any, field: str) -> Any:
    return cgutils.pointer_add(builder, value, list(SHEETS).index(field) * WORDS * BYTES)


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        """The type of ``sheet[index]``."""
        sheet, index = args
        if isinstance(sheet, SheetType) and _fits(sheet, index):
            return signature(sheet.dtype, sheet, sheet.index())
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        """The types of ``sheet[index] = value``."""
        sheet, index, value = args
        if isinstance(sheet, SheetType) and _fits(sheet, index) and self.context.can_convert(value, sheet.dtype):
            return signature(types.none, sheet, sheet.index(), sheet.dtype)
        return None


@infer_global(len)
class _Len(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        """The type of ``len(sheet)``."""
        return signature(types.intp, args[0]) if isinstance(args[0], SheetType) else None


def _fits(sheet: SheetType, index: Any) -> bool:
    """Whether an index has as many whole numbers as the array has dimensions."""
    parts: Any = index if isinstance(index, types.BaseTuple) else (index,)
    return len(parts) == len(sheet.lengths) and all(isinstance(part, types.Integer) for part in parts)


def _word(builder: Any, row: Any, number: int, kind: Any) -> Any:
    """A word of the table; it never changes, so it is read once."""
    word = builder.load(builder.bitcast(cgutils.pointer_add(builder, row, number * BYTES), kind.as_pointer()))
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    return word


def _apart(context: Any, builder: Any, access: Any, field: str) -> None:
    """Tell the compiler that no array of the world lies over another."""
    start = context.get_constant(types.int64, 0)
    root = builder.module.add_metadata(["healthsvc world"])
    kind = builder.module.add_metadata([field, root, start])
    access.set_metadata("tbaa", builder.module.add_metadata([kind, kind, start]))


def _element(context: Any, builder: Any, sheet: SheetType, row: Any, index: Any) -> Any:
    """Where an element lies."""
    whole = context.get_value_type(types.intp)
    parts = [index] if len(sheet.lengths) == 1 else cgutils.unpack_tuple(builder, index, len(sheet.lengths))
    place = parts[0]
    for number, part in enumerate(parts[1:], 1):
        fixed = sheet.lengths[number]
        length = whole(fixed) if fixed else _word(builder, row, 1 + number, whole)
        place = builder.add(builder.mul(place, length), part)
    first = _word(builder, row, 0, context.get_data_type(sheet.dtype).as_pointer())
    return builder.gep(first, [place], inbounds=True)


@lower_builtin(operator.getitem, SheetType, types.Any)
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    sheet = sig.args[0]
    value = builder.load(_element(context, builder, sheet, *args))
    _apart(context, builder, value, sheet.field)
    return context.data_model_manager[sheet.dtype].from_data(builder, value)


@lower_builtin(operator.setitem, SheetType, types.Any, types.Any)
def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    sheet = sig.args[0]
    row, index, value = args
    data = context.data_model_manager[sheet.dtype].as_data(builder, value)
    _apart(context, builder, builder.store(data, _element(context, builder, sheet, row, index)), sheet.field)
    return context.get_dummy_value()


@lower_builtin(len, SheetType)
def _len(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _word(builder, args[0], 1, context.get_value_type(types.intp))
