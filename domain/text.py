"""The guard every text and every JSON value passes on its way in: no event is poison for a reader.

Databases refuse NUL, lone surrogates and NaN; parsers give up on deep nesting and endless
integers. What is refused here can therefore never be stored and fail later.
"""

import math
import re
from collections.abc import Iterator
from typing import Annotated, Final, TypeVar, cast
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, JsonValue, StringConstraints
from pydantic_core import PydanticCustomError

from domain.errors import Fault

M = TypeVar("M", bound=BaseModel)

MAX_DEPTH: Final = 64
"""Levels of lists and objects in a JSON value."""

MAX_INTEGER_DIGITS: Final = 4000
MAX_NAME_BYTES: Final = 200
MAX_LONG_TEXT_BYTES: Final = 64 * 1024

_UNSAFE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f/]")
_DOTS = frozenset({".", ".."})
_TOO_LARGE = 10**MAX_INTEGER_DIGITS


def escape(token: str | int) -> str:
    """*token* as one step of an RFC 6901 JSON pointer, fit to be shown whatever it holds."""
    return _UNSAFE.sub("\ufffd", str(token)).replace("~", "~0").replace("/", "~1")


def text_fault(text: str, pointer: str = "") -> Fault | None:
    """What makes *text* unfit to be stored, if anything."""
    if _is_plain(text) or (found := _UNSAFE.search(text)) is None:
        return None
    what = "a NUL character" if found.group() == "\x00" else "a lone surrogate"
    where = f"at character {found.start() + 1}"
    return Fault(pointer, "text.unsafe", f"This text holds {what} {where}. Remove it.")


def _is_plain(text: str) -> bool:
    """Whether *text* is ASCII without NUL, which takes no time to see and most texts are."""
    return text.isascii() and "\x00" not in text


def json_faults(value: object, pointer: str = "") -> Iterator[Fault]:
    """Everything that makes *value* unfit to be stored as JSON, each fault with its pointer.

    It walks without recursion, so no nesting can exhaust the stack.
    """
    if _is_sound(value):
        return
    waiting: list[tuple[object, str, int]] = [(value, pointer, 0)]
    while waiting:
        item, where, depth = waiting.pop()
        if not isinstance(item, dict | list):
            yield from _scalar_faults(item, where)
        elif depth >= MAX_DEPTH:
            yield Fault(where, "json.too_deep", f"JSON may be {MAX_DEPTH} levels deep. Flatten it.")
        elif isinstance(item, list):
            listed = enumerate(cast("list[object]", item))
            waiting += [(part, f"{where}/{index}", depth + 1) for index, part in listed]
        else:
            for key, part in cast("dict[object, object]", item).items():
                if not isinstance(key, str):
                    yield Fault(where, "json.key", "Every key of a JSON object is a string.")
                elif fault := text_fault(key, where):
                    yield fault
                else:
                    waiting.append((part, f"{where}/{escape(key)}", depth + 1))


def _is_sound(value: object) -> bool:
    """Whether *value* has no fault, told at once and without pointers; a doubt is a no."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        inside: list[object] = []
        for item in level:
            if isinstance(item, dict):
                entries = cast("dict[object, object]", item)
                inside += entries.values()
                if not all(isinstance(key, str) and _is_plain(key) for key in entries):
                    return False
            elif isinstance(item, list):
                inside += cast("list[object]", item)
            elif not (isinstance(item, str) and _is_plain(item)) and any(_scalar_faults(item, "")):
                return False
        if not inside:
            return True
        level = inside
    return False


def mended(value: JsonValue, depth: int = MAX_DEPTH) -> JsonValue:
    """*value* with all that cannot be stored replaced: for what a model said, not to be sent again.

    Unsafe characters become U+FFFD; NaN, infinities, endless integers and what is nested too deep
    become null. A value without faults comes back equal.
    """
    match value:
        case str():
            return _UNSAFE.sub("\ufffd", value)
        case dict() | list() if depth == 0:
            return None
        case dict():
            return {
                _UNSAFE.sub("\ufffd", key): mended(part, depth - 1) for key, part in value.items()
            }
        case list():
            return [mended(part, depth - 1) for part in value]
        case _:
            return None if any(_scalar_faults(value, "")) else value


def _scalar_faults(item: object, pointer: str) -> Iterator[Fault]:
    match item:
        case None | bool():
            pass
        case str():
            if fault := text_fault(item, pointer):
                yield fault
        case int():
            if not -_TOO_LARGE < item < _TOO_LARGE:
                message = f"An integer may have {MAX_INTEGER_DIGITS} digits. Send a shorter one."
                yield Fault(pointer, "json.integer_too_long", message)
        case float():
            if not math.isfinite(item):
                message = "JSON has no NaN and no infinity. Send a number or null."
                yield Fault(pointer, "json.not_finite", message)
        case _:
            message = f"A {type(item).__name__} is not JSON. Send a string, number, list or object."
            yield Fault(pointer, "json.not_json", message)


def _refuse(fault: Fault) -> PydanticCustomError:
    context = {"reason": fault.message, "pointer": fault.pointer}
    return PydanticCustomError(fault.code, "{reason}", context)  # pyright: ignore[reportArgumentType]  # ours


def _safe_text(text: str) -> str:
    if fault := text_fault(text):
        raise _refuse(fault)
    return text


def _safe_json(value: object) -> object:
    if fault := next(json_faults(value), None):
        raise _refuse(fault)
    return value


def storable(model: M) -> M:
    """*model*, if all its texts and values can be stored; to be used as an ``AfterValidator``."""
    _safe_json(model.model_dump(mode="json"))
    return model


def _short(text: str) -> str:
    if len(text.encode()) > MAX_LONG_TEXT_BYTES:
        reason = f"This text is longer than {MAX_LONG_TEXT_BYTES} bytes. Shorten it."
        raise _refuse(Fault("", "text.too_long", reason))
    return text


def _name(text: str) -> str:
    if _CONTROL.search(text):
        reason = "A name holds no control characters and no slash. Choose another."
        raise _refuse(Fault("", "name.characters", reason))
    if text in _DOTS:  # clients take them out of every path, also in percent-encoding
        reason = "A name of one or two dots alone is lost in addresses. Choose another."
        raise _refuse(Fault("", "name.characters", reason))
    if len(text.encode()) > MAX_NAME_BYTES:
        reason = f"A name may have {MAX_NAME_BYTES} bytes. Choose a shorter one."
        raise _refuse(Fault("", "name.too_long", reason))
    if _is_uuid(text):
        raise _refuse(Fault("", "name.is_an_id", "A name must not read as an id. Choose a word."))
    return text


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


SafeText = Annotated[str, AfterValidator(_safe_text)]
"""Any text without NUL and lone surrogates."""

LongText = Annotated[SafeText, AfterValidator(_short)]
"""A description, an instruction or a reason: at most 64 KiB in UTF-8."""

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    AfterValidator(_safe_text),
    AfterValidator(_name),
]
"""What people call a thing: unique within a tenant, usable in a path, never mistaken for an id."""

SafeJson = Annotated[JsonValue, BeforeValidator(_safe_json)]
"""Any JSON value that can be stored and read back."""

JsonObject = Annotated[dict[str, JsonValue], BeforeValidator(_safe_json)]
"""A JSON object that can be stored and read back."""
