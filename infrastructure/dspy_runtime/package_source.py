"""Which source a module of somebody's own has: every file of its package, in one digest."""

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Final

MAX_FILES: Final = 10_000
MAX_BYTES: Final = 64 * 1024 * 1024

_IGNORED_FOLDERS: Final = frozenset({"__pycache__"})
_IGNORED_SUFFIXES: Final = frozenset({".pyc", ".pyo"})


class NoSource(Exception):
    """A module has no source to pin; the message says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """A package as it lies on disk, and the distribution that brought it, if any did."""

    package: str
    sha256: str
    distribution: str | None
    distribution_version: str | None


def source_of(module: str) -> Source:
    """The source of the package that *module* is in: the outermost that is no mere namespace.

    Nothing of it is imported. Files that are not code count, too: prompts are as good as code.

    Raises:
        NoSource: It is not there, is built in, or is too large.
    """
    package, spec = _package(module)
    origin = Path(spec.origin or "")
    if not origin.is_file():
        raise NoSource(f"{package} has no source file of its own")
    root = origin.parent
    files = _files(root) if spec.submodule_search_locations is not None else [origin]
    name, version = _distribution(module.partition(".")[0], origin)
    return Source(package, _digest(root, files), name, version)


def _package(module: str) -> tuple[str, ModuleSpec]:
    steps = module.split(".")
    for count in range(1, len(steps) + 1):
        name = ".".join(steps[:count])
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            spec = None
        if spec is None:
            raise NoSource(f"there is no {name} to import")
        if spec.origin is not None:
            return name, spec
    raise NoSource(f"{module} is a folder without code")


def _files(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [each for each in folders if each not in _IGNORED_FOLDERS]
        paths = (Path(folder) / name for name in names)
        found += [path for path in paths if path.suffix not in _IGNORED_SUFFIXES]
        if len(found) > MAX_FILES:
            raise NoSource(f"{root.name} has more than {MAX_FILES} files; put data elsewhere")
    return found


def _digest(root: Path, files: list[Path]) -> str:
    digest, left = hashlib.sha256(), MAX_BYTES
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in files):
        left -= path.stat().st_size
        if left < 0:
            raise NoSource(f"{root.name} has more than {MAX_BYTES} bytes; put data elsewhere")
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{content} {name}\n".encode())
    return digest.hexdigest()


def _distribution(package: str, origin: Path) -> tuple[str | None, str | None]:
    for name in packages_distributions().get(package, ()):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if any(Path(str(found.locate_file(each))) == origin for each in found.files or ()):
            return found.name, found.version
    return None, None
