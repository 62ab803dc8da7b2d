"""What the code defines, found by importing all of it."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final, TypeVar

T = TypeVar("T")

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("domain", "application", "projections", "infrastructure")


def modules(*packages: str) -> Iterator[ModuleType]:
    """Every module of *packages*."""
    for package in packages:
        path = importlib.import_module(package).__path__
        for found in pkgutil.walk_packages(path, f"{package}."):
            yield importlib.import_module(found.name)


def classes(*packages: str) -> Sequence[type]:
    """Every class that *packages* define, in the order of the source."""
    return [
        each
        for module in modules(*packages)
        for each in vars(module).values()
        if inspect.isclass(each) and each.__module__ == module.__name__
    ]


def leaves(base: type[T], package: str) -> Sequence[type[T]]:
    """Every class of *package* below *base* that has no subclass there."""
    below = [each for each in classes(package) if issubclass(each, base) and each is not base]
    return [each for each in below if not any(sub in below for sub in each.__subclasses__())]
