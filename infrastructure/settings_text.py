"""Settings as they are written: in a file, and as lists with commas."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


class FileIsUnreadable(Exception):
    """The file of settings is not there, or is not TOML."""


def in_file(path: object) -> Mapping[str, object]:
    """What the file at *path* says; nothing if there is none.

    Raises:
        FileIsUnreadable: It cannot be read.
    """
    if path is None:
        return {}
    try:
        return tomllib.loads(Path(str(path)).expanduser().read_text())
    except (OSError, ValueError) as error:
        raise FileIsUnreadable(f"{path} cannot be read: {error}") from None


def listed(named: str) -> Iterator[str]:
    """The parts of *named*, which has commas between them."""
    return (each.strip() for each in named.split(",") if each.strip())


def _packages(named: str) -> str:
    packages = list(listed(named))
    if not all(step.isidentifier() for each in packages for step in each.split(".")):
        raise ValueError("name packages as in an import, with commas between them")
    return ",".join(packages)


def _functions(named: str) -> str:
    for each in listed(named):
        module, colon, function = each.partition(":")
        steps = [*module.split("."), function] if colon else module.split(".")
        if not all(step.isidentifier() for step in steps):
            raise ValueError("name packages or package.module:function, with commas between")
    return named


Packages = Annotated[str, AfterValidator(_packages)]
"""Packages as in an import, with commas between them."""

Functions = Annotated[str, AfterValidator(_functions)]
"""Functions, or whole packages of them, with commas between them."""
