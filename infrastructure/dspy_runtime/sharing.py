"""Which answers other runs may have: those that an adapter could read, and no others.

A call that no adapter makes is not shared: nobody could tell whether its answer is of use.
"""

import contextvars
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

from application.lm_ports import CallJournal
from domain.values import Digest

_Owed = deque[tuple[CallJournal, Digest]]

_owed: contextvars.ContextVar[_Owed | None] = contextvars.ContextVar("owed", default=None)


@contextmanager
def reading_answers() -> Generator[None, None, None]:
    """Whoever asks within says of each answer whether it could be read."""
    asking_again()  # one adapter falls back on another
    owed: _Owed = deque()
    token = _owed.set(owed)
    try:
        yield
    finally:
        _owed.reset(token)
        _give_up(owed)


def is_read() -> bool:
    """Whether somebody will say if the answer to the next call could be read."""
    return _owed.get() is not None


def owe(journal: CallJournal, key: Digest) -> None:
    """Have it said of the answer to *key*."""
    if (owed := _owed.get()) is not None:
        owed.append((journal, key))


def asking_again() -> None:
    """What was answered so far and not yet read will not be."""
    if (owed := _owed.get()) is not None:
        _give_up(owed)


def was_read() -> None:
    """The first answer that was not yet read could be; candidates are read in their order."""
    if owed := _owed.get():
        journal, key = owed.popleft()
        journal.settle(key, is_read=True)


def _give_up(owed: _Owed) -> None:
    while owed:
        journal, key = owed.popleft()
        journal.settle(key, is_read=False)
