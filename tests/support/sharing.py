"""Journals that share their answers, as those of several runs of one tenant do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from application.lm_ports import JsonObject, SharedAnswer
from domain.values import Digest, RunRef
from tests.support.dspy_programs import MemoryJournal


@dataclass
class Shared:
    """What may answer equal calls, and what the engine said of each."""

    answers: dict[Digest, SharedAnswer] = field(default_factory=dict[Digest, SharedAnswer])
    asked: list[Digest] = field(default_factory=list[Digest])
    said: list[tuple[Digest, bool]] = field(default_factory=list[tuple[Digest, bool]])

    @property
    def read(self) -> Sequence[bool]:
        """Of each call whether its answer could be read, in the order of saying so."""
        return [is_read for _, is_read in self.said]

    @property
    def is_settled(self) -> bool:
        """Whether something was said of every call that was not answered from here."""
        missing = [key for key in self.asked if key not in self.answers]
        return {key for key, _ in self.said} >= set(missing)


class SharingJournal(MemoryJournal):
    """The journal of a run that takes answers from *shared* and gives its own."""

    def __init__(self, shared: Shared) -> None:
        super().__init__()
        self.id: UUID = uuid4()
        self._owed = set[Digest]()
        self._shared = shared

    @property
    def shares(self) -> bool:
        return True

    def shared(self, key: Digest, *, within_s: float) -> SharedAnswer | None:
        assert within_s > 0
        self._shared.asked.append(key)
        if key not in self._shared.answers:
            self._owed.add(key)
        return self._shared.answers.get(key)

    def settle(self, key: Digest, *, is_read: bool) -> None:
        if key not in self._owed:
            return
        self._owed.remove(key)
        self._shared.said.append((key, is_read))
        if is_read:
            response: JsonObject = self.answers[key]
            run = RunRef(kind="execution", id=self.id)
            self._shared.answers[key] = SharedAnswer(response, run)
