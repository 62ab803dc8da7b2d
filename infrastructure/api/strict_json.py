"""JSON as RFC 8259 means it; what parsers read differently, or cannot be stored, is refused."""

import json
import math
import re
from collections import Counter
from itertools import accumulate
from typing import ClassVar, Final

import orjson
from pydantic import JsonValue

from domain.errors import Fault
from domain.text import MAX_DEPTH, json_faults
from infrastructure.api.problems import EdgeError

MAX_CONTAINERS: Final = 200_000
"""Lists and objects in one body: each costs far more memory and collector time than its bytes."""

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS: Final = b"[]{}"
_OTHERS: Final = bytes(set(range(256)) - set(_BRACKETS))
# As signed bytes: an opening bracket is one level up, a closing one a level down.
_STEPS: Final = bytes({91: 1, 123: 1, 93: 255, 125: 255}.get(byte, 0) for byte in range(256))
_ESCAPED_NUL: Final = rb"\u0000"


class JsonIsMalformed(EdgeError):
    """The body is not JSON by RFC 8259."""

    code: ClassVar[str] = "json.malformed"


class TextIsNotUtf8(EdgeError):
    """The body is not UTF-8 without a byte order mark."""

    code: ClassVar[str] = "text.not_utf8"


class JsonIsRefused(EdgeError):
    """The body is JSON, yet it cannot be stored or read back unchanged; the fault says where."""

    code: ClassVar[str] = "json.refused"
    status: ClassVar[int] = 422

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message, (fault,))


class _Refused(ValueError):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def check_text(raw: bytes) -> None:
    """Refuse *raw* unless it is clean UTF-8 text.

    Raises:
        TextIsNotUtf8: Some byte is not UTF-8, or a byte order mark leads.
        JsonIsRefused: It holds a NUL character.
    """
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise TextIsNotUtf8(
            f"The body is not UTF-8 at byte {error.start}. Encode it as UTF-8."
        ) from None
    if raw.startswith(b"\xef\xbb\xbf"):
        raise TextIsNotUtf8("The body begins with a byte order mark. Leave it out.")
    if (at := raw.find(b"\x00")) >= 0:
        message = f"The body holds a NUL character at byte {at}. Remove it."
        raise JsonIsRefused(Fault("", "text.unsafe", message))


def check_shape(raw: bytes) -> None:
    """Refuse *raw* when it nests too deep or has too many parts; nothing is parsed for it.

    Raises:
        JsonIsRefused: It is deeper than ``MAX_DEPTH`` levels or has more than ``MAX_CONTAINERS``.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRING.sub(b"", raw).translate(None, _OTHERS)
    if brackets.count(b"[") + brackets.count(b"{") > MAX_CONTAINERS:
        message = f"JSON may hold {MAX_CONTAINERS} lists and objects. Send it in several requests."
        raise JsonIsRefused(Fault("", "json.too_many_parts", message))
    levels = memoryview(brackets.translate(_STEPS)).cast("b")
    if next(filter(MAX_DEPTH.__lt__, accumulate(levels)), None) is not None:
        message = f"JSON may be {MAX_DEPTH} levels deep. Flatten it."
        raise JsonIsRefused(Fault("", "json.too_deep", message))


def parse(raw: bytes) -> JsonValue:
    """The value *raw* spells.

    Raises:
        TextIsNotUtf8: See ``check_text``.
        JsonIsMalformed: Not JSON: the sentence names line and column.
        JsonIsRefused: Too deep, a key given twice, NUL, a lone surrogate or a number out of range.
    """
    check_text(raw)
    check_shape(raw)
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _diagnose(raw, error) from None
    try:
        # orjson keeps the last of two equal keys and rounds long integers; json does neither.
        value: JsonValue = json.loads(raw, object_pairs_hook=_object)
    except _Refused as error:
        raise JsonIsRefused(error.fault) from None
    if _ESCAPED_NUL in raw and (fault := next(json_faults(value), None)):
        raise JsonIsRefused(fault)
    return value


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        message = f"The key {twice!a} is given twice in one object. Give it once."
        raise _Refused(Fault("", "json.duplicate_key", message))
    return found


def _diagnose(raw: bytes, error: orjson.JSONDecodeError) -> EdgeError:
    """Name what orjson refused: values JSON cannot hold, or else the place where it stopped."""
    malformed = JsonIsMalformed(
        f"The body is not JSON: {error.msg}. Mend it at line {error.lineno}, column {error.colno}."
    )
    try:
        value = json.loads(raw, parse_constant=_constant, parse_float=_float, parse_int=_integer)
    except _Refused as refused:
        return JsonIsRefused(refused.fault)
    except ValueError:
        return malformed
    fault = next(json_faults(value), None)
    return malformed if fault is None else JsonIsRefused(fault)


def _constant(word: str) -> float:
    message = f"JSON has no {word}. Send a number or null."
    raise _Refused(Fault("", "json.not_finite", message))


def _float(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise _too_large()
    return number


def _integer(digits: str) -> int:
    if not math.isfinite(float(digits)):
        raise _too_large()
    return int(digits)


def _too_large() -> _Refused:
    message = "A number of the body is beyond 1.8e308. Send a smaller one, or a string."
    return _Refused(Fault("", "json.number_too_large", message))
