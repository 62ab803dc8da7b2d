"""Only ``infrastructure.system`` reads the wall clock.

A projection that stamped rows with its own clock gave other rows at every rebuild: a fold must be a
function of the log.
"""

import ast
from pathlib import Path

ALLOWED = {Path("infrastructure/system.py")}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time")}

SEEDED = "from datetime import datetime, UTC\nat = datetime.now(UTC)\n"


def violations(path: Path, tree: ast.Module) -> list[str]:
    if path in ALLOWED:
        return []
    return [
        f"{path}:{node.lineno} reads the clock; take a Clock"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in CLOCKS
    ]
