"""One service owns a home at a time, and says where it is reached."""

from pathlib import Path

import pytest

from infrastructure.main import owner
from infrastructure.main.owner import (
    AlreadyServing,
    HomeIsUnusable,
    Serving,
    is_owned,
    serving,
    sole_owner,
)

HERE = Serving("http://127.0.0.1:8000", "local")


def test_a_home_is_owned_for_the_block_and_says_where(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert not is_owned(home)
    with sole_owner(home) as announce:
        assert (is_owned(home), serving(home)) == (True, None)
        announce(HERE)
        assert serving(home) == HERE
        announce(Serving("http://127.0.0.1:1", "l"))
        assert serving(home) == Serving("http://127.0.0.1:1", "l")
    assert (is_owned(home), serving(home)) == (False, None)


def test_a_second_owner_is_refused_and_the_first_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "PATIENCE_S", 0.1)
    with sole_owner(tmp_path) as announce:
        announce(HERE)
        with (
            pytest.raises(AlreadyServing, match="Another `stratal serve` runs on"),
            sole_owner(tmp_path),
        ):
            pass
        assert serving(tmp_path) == HERE


def test_whoever_only_looks_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([False, True])
    monkeypatch.setattr(owner, "_locked", lambda lock, how: next(looks))
    with sole_owner(tmp_path):
        assert next(looks, None) is None


def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeIsUnusable, match="Set STRATAL_HOME"):
        is_owned(tmp_path / "file")


@pytest.mark.parametrize("left", ["{", '{"url": 1}', "[]"])
def test_what_was_left_half_written_says_nothing(tmp_path: Path, left: str) -> None:
    (tmp_path / "serve.lock").write_text(left)
    assert serving(tmp_path) is None
