"""How a worker takes a run up, ends it once, and hands it back when it cannot."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar
from uuid import UUID

from application.context import current, within
from application.errors import ConcurrentWrite
from application.journal import Decision, RunJournal
from application.lm_ports import ProgramFailed, RunStopped
from application.payloads import Payload
from application.ports import Monotonic, Receipt, Repository
from application.scrubbing import scrubbed, scrubbed_text
from domain.errors import NotFoundError
from domain.kernel import Aggregate
from domain.run import Run, RunStatus
from domain.values import Failure

A = TypeVar("A", bound=Aggregate[Any])
R = TypeVar("R", bound=Run[Any])

MAX_TRIES = 10


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """How long something took, by a clock that never goes back."""

    monotonic: Monotonic
    began_s: float

    @classmethod
    def started(cls, monotonic: Monotonic) -> "Stopwatch":
        return cls(monotonic, monotonic())

    @property
    def elapsed_ms(self) -> float:
        return (self.monotonic() - self.began_s) * 1000


class RunInterrupted(Exception):
    """The run goes on later, where its journal ends: deliver its command again.

    The provider or the store was not available. After the last attempt the run fails instead.
    """

    def __init__(self, kind: str, id: UUID, failure: Failure) -> None:
        super().__init__(f"The {kind} {id} was interrupted and goes on later: {failure.message}")
        self.kind, self.id, self.failure = kind, id, failure


class ComeBackLater(Exception):
    """It is not time yet: deliver the command again in ``after_s`` seconds. It is no failure."""

    def __init__(self, after_s: float) -> None:
        super().__init__(f"Nothing is to be done for another {after_s:g} s.")
        self.after_s = after_s


class Work(Protocol[R]):
    """What differs between the kinds of runs."""

    def start(self, run: R) -> None:
        """Take *run* up for the next attempt, or give it up."""
        ...

    def journal(self, run: R) -> RunJournal[R]:
        """Open the journal of the attempt that holds *run*."""
        ...

    def perform(self, run: R, journal: RunJournal[R]) -> Decision[R]:
        """Do the work, and say how it ends.

        Raises:
            ProgramFailed: The run ends as failed.
            NotFoundError: Something it needs is gone: it ends as failed.
            RunStopped: The attempt ends; the run may go on later.
        """
        ...

    def fail(self, run: R, failure: Failure) -> None:
        """End *run* with *failure*."""
        ...


def carry_out(
    repository: Repository[R], id: UUID, work: Work[R], taken: R | None = None
) -> Receipt:
    """Take the run *id* up and bring it to its end, unless it has ended.

    A duplicate delivery of an ended run changes nothing. One that this process has *taken* up
    already goes on from there.

    Raises:
        RunInterrupted: It could not be ended now.
    """
    # A run appends many times for one command: the command's own receipt must not swallow them.
    with within(replace(current(), fingerprint=None)):
        if taken is not None:
            return _attempt(repository, taken, work)
        run = repository.get(id)
        while not run.status.is_terminal:
            before = run.attempt
            work.start(run)
            try:
                receipt = repository.save(run)
            except ConcurrentWrite:
                run = repository.get(id)
                if run.attempt == before:  # a zombie wrote its last, or it was cancelled
                    continue
                return _unchanged(run)  # a twin of this delivery took it up
            return _attempt(repository, run, work) if run.status is RunStatus.RUNNING else receipt
        return _unchanged(run)


def _attempt(repository: Repository[R], run: R, work: Work[R]) -> Receipt:
    attempt, journal = run.attempt, work.journal(run)
    try:
        return journal.finish(_performed(run, journal, work))
    except RunStopped as stop:
        _book(journal)
        return _stopped(repository, work, id=run.id, attempt=attempt, failure=stop.failure)
    except BaseException:
        _book(journal)
        raise
    finally:
        journal.close()


def _book(journal: RunJournal[R]) -> None:
    """Have what was paid for on record, unless the attempt lost its run."""
    with suppress(RunStopped):
        journal.flush()


def _performed(run: R, journal: RunJournal[R], work: Work[R]) -> Decision[R]:
    try:
        return work.perform(run, journal)
    except ProgramFailed as error:
        failure = scrubbed(error.failure)
    except NotFoundError as error:
        failure = Failure(code=error.code, message=scrubbed_text(str(error)))
    return Decision(lambda held: work.fail(held, failure))


def _stopped(
    repository: Repository[R], work: Work[R], *, id: UUID, attempt: int, failure: Failure
) -> Receipt:
    run = repository.get(id)
    if not run.is_held_by(attempt):  # cancelled, or somebody else goes on with it
        return _unchanged(run)
    if failure.retryable and not run.is_last_attempt:
        raise RunInterrupted(run.KIND, id, failure)
    work.fail(run, scrubbed(failure))
    try:
        return repository.save(run)
    except ConcurrentWrite:
        return _unchanged(repository.get(id))


def insist(
    repository: Repository[A],
    id: UUID,
    decide: Callable[[A], object],
    payloads: Sequence[Payload] = (),
) -> Receipt:
    """Decide, and decide again on the newer state when somebody else wrote first.

    Raises:
        ConcurrentWrite: Somebody else was first ten times in a row.
    """

    def decided(aggregate: A) -> Sequence[Payload]:
        decide(aggregate)
        return payloads

    return insist_with(repository, id, decided)


def insist_with(
    repository: Repository[A], id: UUID, decide: Callable[[A], Sequence[Payload]]
) -> Receipt:
    """The same where the texts that are stored, too, follow from the state: *decide* returns them.

    Raises:
        ConcurrentWrite: As above.
    """
    for _ in range(MAX_TRIES - 1):
        with suppress(ConcurrentWrite):
            return _decided(repository, id, decide)
    return _decided(repository, id, decide)


def _decided(
    repository: Repository[A], id: UUID, decide: Callable[[A], Sequence[Payload]]
) -> Receipt:
    aggregate = repository.get(id)
    payloads = decide(aggregate)
    return repository.save(aggregate, payloads=payloads)


def _unchanged(run: Aggregate[Any]) -> Receipt:
    return Receipt(run.id, run.version, 0)
