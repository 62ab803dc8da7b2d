"""The process in which code of a model runs: it reads a request, runs it, and writes what came.

Requests and answers are JSON, each after its length in four bytes. The namespace stays from one
request to the next. Whoever starts it believes nothing that it says.
"""

import ast
import builtins
import importlib
import json
import os
import random
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from infrastructure.closed.lock import READ_FROM, WRITE_TO, CannotBeClosed, close

MODULES: Final = (
    "array", "base64", "bisect", "calendar", "cmath", "collections", "copy", "csv", "dataclasses",
    "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html",
    "itertools", "json", "math", "numbers", "operator", "random", "re", "statistics", "string",
    "textwrap", "time", "typing", "unicodedata", "uuid", "zlib",
)  # fmt: skip
"""What code may import: what needs nothing of the machine but its processor."""

MAX_OUTPUT: Final = 200_000
MAX_ANSWER: Final = 3_000_000
FILE: Final = "<code>"


class _Submitted(BaseException):
    def __init__(self, value: object) -> None:
        self.value = value


class _ToolFailed(Exception):
    """A tool on the other side failed."""


class _Printed:
    """What code printed, as far as it is kept."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._left = MAX_OUTPUT

    def write(self, text: str) -> int:
        if self._left > 0:
            self.parts.append(text[: self._left])
            self._left -= len(text)
        return len(text)

    def flush(self) -> None:
        pass


def main() -> None:
    """Close this process, then run what it is asked to until the pipe ends."""
    for name in (*MODULES, "encodings.idna", "linecache"):
        importlib.import_module(name)
    memory_bytes, cpu_s = int(sys.argv[1]), int(sys.argv[2])
    try:
        close(memory_bytes=memory_bytes, cpu_s=cpu_s)
    except CannotBeClosed as error:
        _send({"open": str(error)})
        return
    os.environ.clear()
    random.seed(0)
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": _builtins()}
    _send({"closed": True})
    while (request := _receive()) is not None:
        _send(_bounded(_ran(request, namespace)))


def _ran(request: Mapping[str, Any], namespace: dict[str, Any]) -> dict[str, Any]:
    namespace.update(request["variables"])
    namespace.update({name: _tool(name) for name in request["tools"]})
    namespace["SUBMIT"] = _submit(request["outputs"])
    printed = _Printed()
    before, sys.stdout = sys.stdout, printed
    try:
        value = _value(request["code"], namespace)
    except _Submitted as submitted:
        return {"final": _json(submitted.value)}
    except SyntaxError as error:
        return {"syntax": f"{error.msg} (line {error.lineno})"}
    except BaseException as error:  # noqa: BLE001 code may raise anything; whoever sent it is told
        return {"error": _said(error)}
    finally:
        sys.stdout = before
    return {"value": _json(value), "printed": "".join(printed.parts)}


def _bounded(answer: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(answer)) <= MAX_ANSWER:
        return answer
    return {"error": f"ValueError: this is longer than {MAX_ANSWER} bytes of JSON, give less"}


def _value(code: str, namespace: dict[str, Any]) -> object:
    """Run *code*; the value is that of its last line, if that is an expression."""
    tree = ast.parse(code, FILE)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, FILE, "exec"), namespace)  # noqa: S102 that is what this process is for
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), FILE, "eval"), namespace)  # noqa: S307 as above


def _said(error: BaseException) -> str:
    lines = [
        each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == FILE
    ]
    where = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}"[:2000] + where


def _tool(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        _send({"tool": name, "args": _json(args), "kwargs": _json(kwargs)})
        answer = _receive()
        if answer is None:
            os._exit(0)
        if "error" in answer:
            raise _ToolFailed(answer["error"])
        return answer["result"]

    call.__name__ = name
    return call


def _submit(outputs: Sequence[str] | None) -> Callable[..., None]:
    def submit(*args: Any, **kwargs: Any) -> None:
        if len(args) == 1 and not kwargs and (outputs is None or hasattr(args[0], "keys")):
            raise _Submitted(args[0])
        if outputs is None and not args:
            raise _Submitted(kwargs)
        if len(args) > len(outputs or ()):
            raise TypeError(f"SUBMIT takes {', '.join(outputs or ()) or 'one value'}")
        named: dict[str, object] = dict(zip(outputs or (), args, strict=False))
        raise _Submitted({**named, **kwargs})

    submit.__name__ = "SUBMIT"
    return submit


def _builtins() -> dict[str, Any]:
    offered = {**vars(builtins), "__import__": _import, "open": _open}
    for name in ("breakpoint", "exit", "help", "input", "quit"):
        offered.pop(name, None)
    return offered


def _open(*_: object, **__: object) -> None:
    raise PermissionError("there are no files here")


def _import(name: str, *args: Any, **kwargs: Any) -> Any:
    """A clear word to whoever wrote the code, as above; what keeps it in is the kernel."""
    top = name.partition(".")[0]
    if top not in MODULES:
        raise ImportError(f"{top} is not available here; there are {', '.join(MODULES)}")
    return builtins.__import__(name, *args, **kwargs)


def _json(value: object) -> object:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return repr(value)[:MAX_OUTPUT]


def _receive() -> Any:
    size = _read(4)
    return None if size is None else json.loads(_read(int.from_bytes(size, "big")) or b"null")


def _read(size: int) -> bytes | None:
    parts: list[bytes] = []
    while size and (part := os.read(READ_FROM, size)):
        parts.append(part)
        size -= len(part)
    return None if size else b"".join(parts)


def _send(message: Mapping[str, Any]) -> None:
    body = json.dumps(message).encode()
    left = memoryview(len(body).to_bytes(4, "big") + body)
    while left:
        left = left[os.write(WRITE_TO, left) :]


if __name__ == "__main__":
    main()
