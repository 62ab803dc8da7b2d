"""The log of a home is examined and exported with what the settings of the home say."""

from pathlib import Path

import pytest

from infrastructure.eventstore.repository import EventLog
from infrastructure.main.archive import export, verify
from infrastructure.notary.errors import KeyIsUnusable, WhatIsGivenIsUnusable
from tests.support.event_log import log, pool, recorder
from tests.support.notarized import FORGET, Notarized

__all__ = ["log", "pool", "recorder"]

pytestmark = pytest.mark.postgres


@pytest.fixture
def notarized(
    database: str, log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Notarized:
    """A signed log, and settings that name it, with the file of its checkpoints."""
    notarized = Notarized(database, log, tmp_path)
    notarized.append_executions(2)
    notarized.sign()
    monkeypatch.setenv("STRATAL_HOME", str(tmp_path))
    monkeypatch.setenv("STRATAL_DATABASE_URL", database)
    monkeypatch.setenv("STRATAL_NOTARY_FILE", str(notarized.file))
    return notarized


def deaf(_seen: int) -> None: ...


def test_an_untouched_log_is_well(notarized: Notarized) -> None:
    found = verify([], [], deaf)
    assert found.is_well
    assert found.json["events"] == 8
    assert found.lines[-1] == "well       nothing is amiss"


def test_what_was_kept_outside_shows_a_log_that_was_rolled_back(
    notarized: Notarized, monkeypatch: pytest.MonkeyPatch
) -> None:
    notarized.tamper(f"{FORGET}; DELETE FROM stratal.events")
    found = verify([], [], deaf)
    assert not found.is_well
    assert found.lines[-2].startswith("MISSING    positions 1 to 8 (8 events")
    monkeypatch.setenv("STRATAL_NOTARY_FILE", "")
    assert verify([], [], deaf).is_well  # nothing in the database tells of a log that was there
    assert not verify([], [notarized.file], deaf).is_well


def test_a_bundle_has_the_key_and_what_was_kept_outside(
    notarized: Notarized, tmp_path: Path
) -> None:
    said = export(notarized.bundle, 1, deaf)
    assert said == f"{notarized.bundle}: 8 events, 1 checkpoints, and verify.py."
    assert (notarized.bundle / "keys.txt").read_text() == f"{notarized.signer.key}\n"
    assert notarized.examined("--key", str(notarized.bundle / "keys.txt"))[0] == 0
    (tmp_path / "checkpoints.txt").unlink()
    export(tmp_path / "other", 1, deaf)
    assert (tmp_path / "other" / "outside.txt").read_text() == ""


def test_keys_can_be_given(notarized: Notarized, tmp_path: Path) -> None:
    key = notarized.signer.key
    (tmp_path / "notary.pem").unlink()
    with pytest.raises(KeyIsUnusable, match=r"notary\.pem"):
        verify([], [], deaf)
    assert verify([str(key)], [], deaf).is_well


def test_a_checkpoint_that_was_cut_short_is_told_and_the_others_count(
    notarized: Notarized,
) -> None:
    whole = notarized.file.read_bytes()
    notarized.file.write_bytes(whole + whole[: whole.index("\u2014".encode()) + 1])
    found = verify([], [], deaf)
    assert not found.is_well
    assert any(each.startswith("UNREADABLE position 0") for each in found.lines)
    assert "agreed     1 checkpoints, 0 consistency proofs" in found.lines
    export(notarized.bundle, 1, deaf)
    assert (notarized.bundle / "outside.txt").read_bytes() == whole
    assert notarized.examined()[0] == 0
    assert notarized.examined("--checkpoints", str(notarized.file))[0] == 1


@pytest.mark.parametrize(("keys", "files"), [(["none"], []), ([], ["none.txt"])])
def test_what_is_no_key_and_no_file_is_refused(
    notarized: Notarized, tmp_path: Path, keys: list[str], files: list[str]
) -> None:
    with pytest.raises(WhatIsGivenIsUnusable):
        verify(keys, [tmp_path / each for each in files], deaf)
