"""The import contracts hold, and each one is seen to break on a seeded violation."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT

SEEDED = {
    "inward": ("domain/seeded.py", "import application.commands"),
    "pure-core": ("application/seeded.py", "import psycopg"),
    "events-only": ("projections/seeded.py", "import domain.program.aggregate"),
    "aggregates": ("domain/dataset/seeded.py", "import domain.execution.events"),
    "one-door-eventsourcing": ("infrastructure/seeded.py", "import eventsourcing.persistence"),
    "one-door-dspy": ("infrastructure/seeded.py", "import dspy"),
    "one-door-dramatiq": ("infrastructure/seeded.py", "import dramatiq"),
    "one-door-fastapi": ("infrastructure/seeded.py", "import fastapi"),
    "one-door-graphql": ("infrastructure/seeded.py", "import graphql"),
    "adapters": ("infrastructure/api/seeded.py", "import infrastructure.workers.lanes"),
    "acyclic": (
        "application/payloads_seeded.py",
        "import application.policies.seeded",
    ),
}
BACK = {"acyclic": ("application/policies/seeded.py", "import application.payloads_seeded")}


def tree(path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", path)
    return path


def lint(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", *arguments],
        cwd=path,
        env={"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_product_keeps_every_contract() -> None:
    kept = lint(ROOT)

    assert kept.returncode == 0, kept.stdout
    assert f"Contracts: {len(SEEDED)} kept, 0 broken." in kept.stdout


@pytest.mark.feature("VIS-01")
def test_vis_01_the_domain_knows_no_engine_and_no_shell(tmp_path: Path) -> None:
    copy = tree(tmp_path)
    outside = ("dspy", "fastapi", "psycopg", "dramatiq", "opentelemetry")
    (copy / "domain/seeded.py").write_text("".join(f"import {each}\n" for each in outside))
    broken = lint(copy, "--contract", "pure-core")

    assert broken.returncode == 1
    for each in outside:
        assert f"domain.seeded -> {each}" in broken.stdout, broken.stdout


@pytest.mark.parametrize("contract", SEEDED)
def test_the_contract_breaks_on_its_seeded_violation(contract: str, tmp_path: Path) -> None:
    copy = tree(tmp_path)
    for where, code in filter(None, (SEEDED[contract], BACK.get(contract))):
        guarded = f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {code}\n"
        (copy / where).write_text(guarded)
    broken = lint(copy, "--contract", contract)

    assert broken.returncode == 1
    assert "0 kept, 1 broken." in broken.stdout, broken.stdout + broken.stderr
