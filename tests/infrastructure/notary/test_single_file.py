"""The verifier is one file that an old Python without anything of ours can run."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

from infrastructure.notary import single_file
from infrastructure.notary.single_file import verifier

SOURCE = verifier()
TREE = ast.parse(SOURCE, feature_version=(3, 8))


def test_it_needs_the_standard_library_alone() -> None:
    imported = {
        name.name.split(".")[0]
        for each in ast.walk(TREE)
        if isinstance(each, ast.Import)
        for name in each.names
    } | {str(each.module) for each in ast.walk(TREE) if isinstance(each, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names
    assert "infrastructure" not in SOURCE


def test_no_two_of_its_parts_use_one_name() -> None:
    names = Counter(
        each.name for each in TREE.body if isinstance(each, ast.ClassDef | ast.FunctionDef)
    ) + Counter(
        target.id
        for each in TREE.body
        if isinstance(each, ast.Assign)
        for target in each.targets
        if isinstance(target, ast.Name)
    )
    assert [name for name, times in names.items() if times > 1] == []


def test_it_has_every_module_of_the_verifier() -> None:
    folder = Path(single_file.__file__).parent / "verifier"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == {*single_file.MODULES}


def test_it_says_how_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_text(SOURCE)
    told = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "verify.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--checkpoints" in told.stdout
    assert SOURCE.startswith("#!/usr/bin/env python3\n")
