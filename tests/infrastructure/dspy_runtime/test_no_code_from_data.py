"""Texts of people and models are shown, stored and sent; Python never runs them."""

import json
import subprocess
import sys

import pytest

from tests.support.audited import HOSTILE, TEXT


@pytest.mark.feature("BRG-11")
def test_brg_11_nothing_that_anybody_wrote_is_run_imported_or_unpickled() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.audited"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    heard = json.loads(done.stdout)
    # The program itself is source of ours, in which every text is a literal.
    assert heard["exec"] != []
    assert {name.partition(".")[0] for name in heard["exec"]} == {"<stratal_programs"}
    assert heard["pickle.find_class"] == []
    assert [name for name in heard["import"] if name.startswith(HOSTILE)] == []
    assert heard["outputs"] == {"reasoning": TEXT, "answer": TEXT}
    assert heard["codes"][-1] == "module.package_not_allowed"
    assert len(heard["codes"]) == 4
