"""Makes one file of the verifier's modules, for somebody who has nothing of ours."""

import ast
from pathlib import Path
from typing import Final

MODULES: Final = ("leaves", "tree", "ed25519", "notes", "examination", "bundle")
"""In the order in which they lean on each other."""

_OURS: Final = "infrastructure."
_HEAD: Final = '''#!/usr/bin/env python3
"""Checks that a log of Stratal is as its notary signed it: every event, in its place, none gone.

One file that needs Python 3.8 or newer and nothing else. Read it before you run it: it hashes each
event (SHA-256 of 0x00 and the nine stored columns, each after its length in four bytes), joins the
hashes to a tree (RFC 6962), and holds its root against every checkpoint that the notary signed
(Ed25519, RFC 8032).

    python3 verify.py [BUNDLE] [--key KEY]... [--checkpoints FILE]...

BUNDLE is a folder or a .zip; without it, the folder of this file. Give the notary's public key with
--key if you have it from elsewhere: the one in the bundle is as trustworthy as whoever gave you the
bundle. Checkpoints that were kept elsewhere show what the bundle may have lost. It ends with 0 when
all is well, and with 1 when it found something, which it names with its position.
"""

from __future__ import annotations

'''
_FOOT: Final = '\n\nif __name__ == "__main__":\n    sys.exit(main())\n'


def verifier() -> str:
    """The source of the verifier as one file."""
    folder = Path(__file__).parent / "verifier"
    imports: dict[str, set[str]] = {}
    parts: list[str] = []
    for name in MODULES:
        source = (folder / f"{name}.py").read_text(encoding="utf-8")
        tree = ast.parse(source)
        brought = [each for each in tree.body if isinstance(each, ast.Import | ast.ImportFrom)]
        for each in brought:
            if (module := _module(each)) is not None:
                imports.setdefault(module, set()).update(it.name for it in each.names)
        first = next(each for each in tree.body[1:] if each not in brought)
        start = min([first.lineno, *(it.lineno for it in getattr(first, "decorator_list", ()))])
        body = "\n".join(source.splitlines()[start - 1 :])
        parts.append(f"# --- {ast.get_docstring(tree)}\n\n\n{body}\n")
    whole = [f"import {name}" for name in sorted(imports.pop("", ()))]
    some = [f"from {name} import {', '.join(sorted(imports[name]))}" for name in sorted(imports)]
    return "\n".join([_HEAD + "\n".join([*whole, *some]), "", "\n\n".join(parts)]) + _FOOT


def _module(statement: ast.Import | ast.ImportFrom) -> str | None:
    """What *statement* imports from, nothing if it imports modules; ``None``: leave it out."""
    module = "" if isinstance(statement, ast.Import) else statement.module or ""
    return None if module == "__future__" or module.startswith(_OURS) else module
