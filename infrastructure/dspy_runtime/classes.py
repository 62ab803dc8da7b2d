"""Source text as a real class, whose text people, optimizers and tracebacks find."""

import hashlib
import linecache
import sys
import traceback
from collections.abc import Mapping
from types import ModuleType
from typing import Final, cast

import dspy

from infrastructure.dspy_runtime.source import CLASS_NAME, Written

_MODULES: Final = "stratal_programs"
_NODES: Final = "NODES_BY_LINE"


def defined(
    written: Written, namespace: Mapping[str, object], *, made_of: str
) -> type[dspy.Module]:
    """The class in *written*, which names what is in *namespace*.

    Text and *made_of*, all that the namespace was made of, give its module a name of its own.
    """
    name = f"{_MODULES}.p{_digest(written.text)}_{_digest(made_of)}"
    module = ModuleType(name)
    module.__file__ = path = f"<{name}>"
    # It stays for good, so it is bare: what a program names may be as large as a corpus.
    named = {**vars(module), **namespace, _NODES: written.nodes}
    # Optimizers read the source of a program; without it they propose nothing.
    linecache.cache[path] = (len(written.text), None, written.text.splitlines(True), path)
    sys.modules[name] = module
    # Every name in the text was checked to be an identifier; all else is a literal of ours.
    exec(compile(written.text, path, "exec"), named)  # noqa: S102
    return cast("type[dspy.Module]", named[CLASS_NAME])


def node_of(error: BaseException) -> str | None:
    """The node of a program in which *error* was raised, the innermost one; if it was in any."""
    found: str | None = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        nodes: Mapping[int, str] = frame.f_globals.get(_NODES, {})
        found = nodes.get(line, found)
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
