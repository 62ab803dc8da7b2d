"""Nothing is pickled, and no flag allows it (TRAP-12).

DSPy loads a pickled program by running whatever it says, and keeps endpoints found in a file when
asked to; state travels as JSON that our own schema checked.
"""

import ast
from pathlib import Path

MODULES = {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
FLAGS = {"allow_pickle", "allow_unsafe_lm_state"}

SEEDED = "import pickle\nprogram.load('x', allow_pickle=True)\n"


def violations(path: Path, tree: ast.Module) -> list[str]:
    found: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if MODULES & {name.name.split(".")[0] for name in names}:
                found.append(f"{path}:{node.lineno} imports a pickler")
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in MODULES:
                found.append(f"{path}:{node.lineno} imports a pickler")
            case ast.keyword(arg=str(arg)) if arg in FLAGS:
                found.append(f"{path}:{node.lineno} sets {arg}")
            case _:
                pass
    return found
