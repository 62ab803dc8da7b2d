"""Faults of a part, told to whoever sent the whole: their pointers made those of the command."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

from domain.errors import Fault, InvalidError


@contextmanager
def beneath(pointer: str) -> Generator[None]:
    """Let every fault that the body raises lie beneath *pointer*."""
    try:
        yield
    except InvalidError as error:
        error.faults = tuple(_moved(each, pointer + each.pointer) for each in _faults(error))
        raise


@contextmanager
def at(pointer: str) -> Generator[None]:
    """Let every fault that the body raises lie at *pointer* itself: what is inside has no parts."""
    try:
        yield
    except InvalidError as error:
        error.faults = tuple(_moved(each, pointer) for each in _faults(error))
        raise


def _faults(error: InvalidError) -> tuple[Fault, ...]:
    return error.faults or (Fault("", error.code, str(error)),)


def _moved(fault: Fault, pointer: str) -> Fault:
    return replace(fault, pointer=pointer)
