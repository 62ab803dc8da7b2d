"""A service of its own for each page of examples."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.examples import Page
from tests.support.postgres import copy_of
from tests.support.scripted_lm import ScriptedLmServer
from tests.support.service import Service, pytest_runtest_makereport

CURL = Path(__file__).parents[1] / "support" / "curl.py"

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture
def page(cluster: str, template: str) -> Iterator[Callable[..., Page]]:
    """Makes a page whose service answers by the script at the second path."""
    with ExitStack() as stack:

        def make(path: Path, model: Path, **environment: str) -> Page:
            database = stack.enter_context(copy_of(template, cluster))
            unused = stack.enter_context(ScriptedLmServer())
            told = {"STRATAL_LM": f"scripted:{model}", **environment}
            service = stack.enter_context(Service(database, unused, environment=told))
            return Page(path, service.url, model.parent, _reader(service))

        yield make


def _reader(service: Service) -> dict[str, str]:
    """The environment of somebody who activated ours and asks *service*."""
    curl = service.home / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{CURL}" "$@"\n')
    curl.chmod(0o755)
    return {
        "PATH": f"{curl.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(service.home),
        "LOGNAME": "ann",
        "COLUMNS": "400",
        "NO_COLOR": "1",
        "STRATAL_HOME": str(service.home),
        "STRATAL_DATABASE_URL": service.database,
        "STRATAL_PORT": service.url.rpartition(":")[2],
    }
