"""SQL is a constant; values are bound, names are composed with ``psycopg.sql``.

A statement built with an f-string is one forgotten quote away from an injection, and each value
makes a new statement to plan.
"""

import ast
import re
from pathlib import Path

SQL = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|TRUNCATE|NOTIFY|SET)\s")

SEEDED = "def f(cursor, name):\n    cursor.execute(f'SELECT * FROM programs WHERE name = {name}')\n"


def violations(path: Path, tree: ast.Module) -> list[str]:
    return [
        f"{path}:{node.lineno} formats SQL"
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        and isinstance(first := node.values[0], ast.Constant)
        and isinstance(first.value, str)
        and SQL.match(first.value)
    ]
