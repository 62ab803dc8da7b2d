"""What this process believes it has, to be compared with what the table says it has."""

import secrets
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class HeldNow:
    """A picture of the claims. What was claimed later has a token above ``newest``."""

    newest: int
    asking: list[int]
    tokens: list[int]
    message_ids: list[UUID]


class Held:
    """Hands out rising claim tokens and remembers which jobs each of them got."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._newest = secrets.randbits(61)
        self._asking: set[int] = set()
        self._jobs: set[tuple[int, UUID]] = set()

    @contextmanager
    def asking(self) -> Generator[int]:
        """A new token, for a claim that is under way as long as the body."""
        with self._mutex:
            self._newest += 1
            token = self._newest
            self._asking.add(token)
        try:
            yield token
        finally:
            with self._mutex:
                self._asking.discard(token)

    def keep(self, token: int, message_ids: Iterable[UUID]) -> None:
        """These jobs are ours under *token*; call it while still ``asking``."""
        with self._mutex:
            self._jobs.update((token, message_id) for message_id in message_ids)

    def drop(self, token: int, message_id: UUID) -> None:
        """The job is ours no more."""
        with self._mutex:
            self._jobs.discard((token, message_id))

    def now(self) -> HeldNow:
        """The claims of this moment."""
        with self._mutex:
            jobs = list(self._jobs)
            return HeldNow(
                self._newest,
                list(self._asking),
                [token for token, _ in jobs],
                [message_id for _, message_id in jobs],
            )
