"""No stored or sent text is ever run, and no module it names is imported (BRG-11).

The original of this system kept the forward method of a program as text and ran it: whoever could
write a row owned the worker. Here a program is data. The few doors that run or import anything are
listed with what they run; another one needs its line, and a reviewer who reads it.
"""

import ast
from pathlib import Path

DOORS = {
    "infrastructure/closed/child.py": "what a model wrote, in a process that is closed",
    "infrastructure/dspy_runtime/classes.py": "source of ours, in which data are literals",
    "infrastructure/dspy_runtime/custom.py": "modules of packages that the operator allows",
    "infrastructure/dspy_runtime/kinds/rewards.py": "source of ours, in which data are literals",
    "infrastructure/main/process.py": "a role that the command line offers",
    "infrastructure/tools/python.py": "functions that the operator allows",
    "infrastructure/workers/hooks.py": "policies that the operator names",
}
RUNNERS = {"exec", "eval", "compile", "__import__"}
IMPORTERS = {"import_module", "__import__", "run_module", "run_path"}
MODULES = {"runpy", "code", "codeop", "imp"}

SEEDED = "import importlib\nexec(row.forward)\nimportlib.import_module(row.module_type)\n"


def violations(path: Path, tree: ast.Module) -> list[str]:
    if any(path.as_posix().endswith(door) for door in DOORS):
        return []
    return [f"{path}:{node.lineno} {what}" for node in ast.walk(tree) for what in _found(node)]


def _found(node: ast.AST) -> list[str]:
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in RUNNERS:
            return [f"calls {name}"]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[given, *_]) if (
            name in IMPORTERS and not isinstance(given, ast.Constant)
        ):
            return [f"calls {name} with a name that is not written here"]
        case ast.Import(names=names) if MODULES & {name.name for name in names}:
            return ["imports what runs code"]
        case ast.ImportFrom(module=str(module)) if module in MODULES:
            return ["imports what runs code"]
        case _:
            return []
