"""``stratal cache``."""

from collections.abc import Callable

import pytest

from tests.infrastructure.cli.conftest import Bench, Said
from tests.support.api import SYNTAX

Call = Callable[..., Said]


@pytest.mark.feature("CCH-08")
def test_cch_08_the_caches_are_emptied_as_far_as_is_said(stratal: Call, bench: Bench) -> None:
    bench.connect().programs.create("triage", SYNTAX)
    said = stratal("cache", "purge").out
    assert said == "Emptied both caches: nothing is served any more that was kept until now.\n"
    words = ("--cache", "answers", "--program", "triage", "--model", "openai/gpt")
    said = stratal("cache", "purge", *words, "--reason", "It was wrong.").out
    assert said.startswith("Emptied the cache of answers: nothing that triage filled in which")
    assert stratal("cache", "purge", "--program", "nowhere").status == 1
