"""Rules are tried on engines that a test writes: DSPy is nowhere among them."""

import subprocess
import sys

import pytest

from tests.architecture.source import ROOT

IMPORT_ALL = (
    "import importlib, sys\n"
    "for name in sys.argv[1:]:\n"
    "    importlib.import_module(name)\n"
    "print(sorted({'dspy', 'infrastructure.dspy_runtime', 'litellm'} & set(sys.modules)))"
)


@pytest.mark.feature("BRG-01")
def test_brg_01_what_is_tried_of_domain_and_application_runs_on_engines_of_the_tests() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for group in ("domain", "application")
        for path in sorted((ROOT / "tests" / group).rglob("test_*.py"))
    ]
    assert {"tests.application.test_executions", "tests.domain.program.test_program"} < {*names}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
