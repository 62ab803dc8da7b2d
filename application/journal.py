"""How one attempt of a run writes what it learns, and answers calls from what is written.

Whatever goes wrong in here stops the run with ``RunStopped``: an optimizer would score any lesser
exception as 0 and go on spending.
"""

import json
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile, islice
from threading import Lock
from typing import Any, Final, Generic, TypeVar, cast
from uuid import UUID

from application.caching import Debt, Kept, KeptTexts, Provider, apart
from application.context import current, within
from application.errors import ConcurrentWrite, PayloadIsMissing
from application.lm_ports import (
    Diverged,
    JsonObject,
    Missed,
    NotShared,
    RunStopped,
    SharedAnswer,
)
from application.payloads import Payload
from application.ports import Clock, PayloadStore, Receipt, Repository
from application.pricing import PriceBook, billed
from application.scrubbing import scrubbed_call, scrubbed_text
from application.streaming import NOBODY, Audience
from application.varying import PastCall
from domain.errors import DomainError, NotFoundError
from domain.run import AttemptIsFenced, Run
from domain.values import Digest, Failure, LmCall, RunRef, ToolCall

R = TypeVar("R", bound=Run[Any])

READ_AT_ONCE: Final = 32
"""So many answers of a log are read together: reading them costs more than all the rest."""


@dataclass(frozen=True, slots=True)
class Decision(Generic[R]):
    """Something to be decided of a run, and the texts that are stored with it.

    It may be asked twice, of a run that somebody else changed meanwhile.
    """

    decide: Callable[[R], object]
    payloads: Sequence[Payload] = ()


class RunJournal(Generic[R]):
    """The journal of an attempt in which every call is durable before its answer is used.

    Any number of threads may share it: what they bring while one of them writes goes together into
    the next append.
    """

    def __init__(
        self,
        run: R,
        repository: Repository[R],
        payloads: PayloadStore,
        clock: Clock,
        prices: PriceBook,
    ) -> None:
        """Write for the attempt that holds *run* now, on behalf of the current context."""
        self._run, self._attempt = run, run.attempt
        self._repository, self._payloads, self._clock = repository, payloads, clock
        self._prices = prices
        self._context = current()  # a program's threads do not inherit it
        self._refs = dict(run.answers)
        self._answers: dict[Digest, JsonObject] = {}
        self._waiting: deque[Decision[R]] = deque()
        self._booking, self._writing = Lock(), Lock()
        self._failure: Failure | None = None
        self._cache: KeptTexts | None = None
        self._program_id: UUID | None = None
        self.audience: Audience = NOBODY
        self._provider: Provider = ()
        self._past: Mapping[Digest, PastCall] = {}
        self._owed: dict[Digest, Debt] = {}
        self._makers: dict[Digest, tuple[str]] = {}

    @property
    def shares(self) -> bool:
        """Whether its answers come from a cache and go there."""
        return self._cache is not None

    def share(self, cache: KeptTexts, program_id: UUID, provider: Provider = ()) -> None:
        """Have *cache* answer calls, and keep what models answered that program, if it was read.

        What another *provider* than that of the workers answers is kept apart.
        """
        self._cache, self._program_id, self._provider = cache, program_id, provider

    def vary(self, past: Mapping[Digest, PastCall]) -> None:
        """Have the calls of an earlier run answer equal ones, by key; each is booked, too."""
        self._past = past

    def shared(self, key: Digest, *, within_s: float) -> SharedAnswer | None:
        """What an equal call of another run was answered, after waiting for one under way."""
        if self._cache is None:
            return None
        with self._stopping(), within(self._context):
            match self._cache.take(apart(self._provider, key), within_s=within_s):
                case Kept(content=content, filled_by=filled_by):
                    with suppress(NotFoundError):  # erased meanwhile: it is asked for again
                        return SharedAnswer(_object(self._payloads.get(content)), filled_by)
                case None:
                    pass
                case debt:
                    self._owed[key] = debt
        return None

    def settle(self, key: Digest, *, is_read: bool) -> None:
        """Let other runs have the recorded answer to *key*, if it could be read."""
        if (debt := self._owed.pop(key, None)) is None:
            return
        kept, models = None, frozenset(self._makers.pop(key, ()))
        try:
            if is_read:
                self.flush()  # whoever is answered by it finds it on record
                run = RunRef.model_validate({"kind": self._run.KIND, "id": self._run.id})
                kept = Kept(self._run.answers[key], run, self._program_id, models)
        finally:
            with within(self._context):
                debt.settle(kept)

    def close(self) -> None:
        """Let those go on who wait for what this attempt was to make."""
        for key in list(self._owed):
            self.settle(key, is_read=False)

    def find(self, key: Digest) -> JsonObject | None:
        """The recorded response to *key*, or ``None`` when nothing answered it yet."""
        with self._stopping():
            if key in self._refs and key not in self._answers:
                with within(self._context):
                    self._answers[key] = _object(self._payloads.get(self._refs[key]))
            found = self._answers.get(key)
            return self._from_past(key) if found is None else found

    def _from_past(self, key: Digest) -> JsonObject | None:
        """What an earlier run has on record for *key*; whatever was erased there is asked anew."""
        if (past := self._past.get(key)) is None:
            return None
        with within(self._context), suppress(NotFoundError):
            answer, at = _object(self._payloads.get(past.answer)), self._clock.now()
            self._await(Decision(lambda run: _book(run, past.call, at)), key, answer)
            return answer
        return None

    def record(self, call: LmCall, request: Payload, response: Payload | None) -> None:
        """Make the fact of *call* durable.

        Raises:
            RunStopped: The run was cancelled or taken over, or the store refused.
        """
        self._enqueue(call, request, response)
        self.flush()

    def record_tool_call(self, call: ToolCall, arguments: Payload, result: Payload) -> None:
        """Make the fact of *call* durable.

        Raises:
            RunStopped: The run was cancelled or taken over, or the store refused.
        """
        self._enqueue_tool_call(call, arguments, result)
        self.flush()

    def note(self, decision: Decision[R]) -> None:
        """Make *decision* durable, in order with the calls."""
        self._waiting.append(decision)
        self.flush()

    def flush(self) -> None:
        """Make durable whatever waits, also what other threads brought."""
        with self._writing, self._stopping():
            if batch := self._drain():
                self._write(batch)

    def finish(self, decision: Decision[R]) -> Receipt:
        """End the run with *decision*, in one append with whatever waits."""
        with self._writing, self._stopping():
            return self._write([*self._drain(), decision])

    def _enqueue(self, call: LmCall, request: Payload, response: Payload | None) -> None:
        at = self._clock.now()
        with self._stopping(), within(self._context):
            booked = billed(scrubbed_call(call), self._prices, at=at)
        texts = [request] if response is None else [request, response]
        decision: Decision[R] = Decision(lambda run: run.record_call(booked, at=at), texts)
        if call.key in self._owed:
            self._makers[call.key] = (call.model,)
        self._await(decision, call.key, None if response is None else _read(response))

    def _enqueue_tool_call(self, call: ToolCall, arguments: Payload, result: Payload) -> None:
        booked, at = scrubbed_call(call), self._clock.now()
        decision: Decision[R] = Decision(
            lambda run: run.record_tool_call(booked, at=at), [arguments, result]
        )
        self._await(decision, call.key, _read(result))

    def _await(self, decision: Decision[R], key: Digest, answer: JsonObject | None) -> None:
        with self._booking:  # the first answer to a key is the one on record, and the one found
            self._waiting.append(decision)
            if answer is not None:
                self._answers.setdefault(key, answer)

    def _drain(self) -> list[Decision[R]]:
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def _write(self, batch: Sequence[Decision[R]]) -> Receipt:
        """Append *batch*; if somebody else wrote meanwhile, again, while the attempt holds."""
        payloads = [payload for decision in batch for payload in decision.payloads]
        with within(self._context):
            while True:
                self._run.ensure_held_by(self._attempt)
                for decision in batch:
                    decision.decide(self._run)
                try:
                    return self._repository.save(self._run, payloads=payloads)
                except ConcurrentWrite:
                    self._run = self._repository.get(self._run.id)

    @contextmanager
    def _stopping(self) -> Generator[None, None, None]:
        """Turn what goes wrong into a stop, of every later call too: what it held is not stored."""
        if self._failure is not None:
            raise RunStopped(self._failure)
        try:
            yield
        except Exception as error:
            self._failure = stop_reason(error)
            raise RunStopped(self._failure) from error
        except BaseException as interrupt:
            self._failure = stop_reason(interrupt)
            raise


class ExecutionJournal(RunJournal[R]):
    """A journal that writes behind: a call is durable before the next one is looked up or booked.

    So the last call shares its append with the end of the run, and a kill repeats at most the one
    call whose answer was not yet followed by another.
    """

    def find(self, key: Digest) -> JsonObject | None:
        """The recorded response to *key*; every call before is durable then."""
        self.flush()
        return super().find(key)

    def note(self, decision: Decision[R]) -> None:
        """Book *decision*; it is durable with the next call, or with the end."""
        self._waiting.append(decision)

    def record(self, call: LmCall, request: Payload, response: Payload | None) -> None:
        """Book *call*; it is durable with the next one, or with the end."""
        self.flush()
        self._enqueue(call, request, response)

    def record_tool_call(self, call: ToolCall, arguments: Payload, result: Payload) -> None:
        """Book *call*; it is durable with the next one, or with the end."""
        self.flush()
        self._enqueue_tool_call(call, arguments, result)


class RecordedRefusal(RunStopped):
    """The model was not available for this call at the time: that ended the run, as it does now."""


class ReplayJournal(NotShared):
    """The calls of a run that ended, to be read only; ``answered`` counts those it answered."""

    def __init__(self, run: Run[Any], payloads: PayloadStore) -> None:
        """Answer from the calls of *run*, on behalf of the current context."""
        self._refs, self._refusals = dict(run.answers), dict(run.refusals)
        self._payloads, self._context = payloads, current()
        self._counting = Lock()
        self._answers: dict[Digest, JsonObject] = {}
        self._unasked = set(run.answers)
        self.answered = 0

    @property
    def unasked(self) -> AbstractSet[Digest]:
        """What the log answers and was not asked for."""
        return self._unasked

    def find(self, key: Digest) -> JsonObject | None:
        """The recorded response to *key*, or ``None`` when the call was never made.

        Raises:
            RecordedRefusal: The call was made and never answered.
        """
        if key not in self._refs and key not in self._refusals:
            return None
        with self._counting:
            self.answered += 1
            self._unasked.discard(key)
        if key in self._refusals:
            raise RecordedRefusal(self._refusals[key])
        if key not in self._answers:
            try:
                with within(self._context):
                    self._read(key)
            except DomainError as error:
                raise RunStopped(stop_reason(error)) from error
        return self._answers[key]

    def _read(self, key: Digest) -> None:
        """Read the answer to *key*, and with it those that are likely to be asked for next."""
        later = dropwhile(lambda each: each != key, self._refs)
        refs = {each: self._refs[each] for each in islice(later, READ_AT_ONCE)}
        texts = self._payloads.several(list(refs.values()))
        for each, ref in refs.items():
            if ref.digest in texts:
                self._answers[each] = _object(texts[ref.digest])
        if key not in self._answers:
            raise PayloadIsMissing(self._refs[key].digest)

    def record(self, call: LmCall, request: Payload, response: Payload | None) -> None:
        """Refuse: a replay makes no call.

        Raises:
            RunStopped: Always, with the code ``replay.diverged``.
        """
        del response
        raise _diverged(call, request)

    def record_tool_call(self, call: ToolCall, arguments: Payload, result: Payload) -> None:
        """Refuse: a replay calls no tool.

        Raises:
            RunStopped: Always, with the code ``replay.diverged``.
        """
        del result
        raise _diverged(call, arguments)


def _diverged(call: LmCall | ToolCall, request: Payload) -> Diverged:
    message = f"The replay made a call at {call.node} that is not in the log."
    tool = call.tool if isinstance(call, ToolCall) else None
    return Diverged(message, Missed(call.key, call.node, json.loads(request.body), tool))


def stop_reason(error: BaseException) -> Failure:
    """Why a run stops at *error*; trying again helps unless it lost its run or misses a text."""
    if isinstance(error, DomainError):
        lost = isinstance(error, AttemptIsFenced | NotFoundError)
        return Failure(code=error.code, message=scrubbed_text(str(error)), retryable=not lost)
    message = scrubbed_text(f"{type(error).__name__}: {error}")
    return Failure(code="run.journal_failed", message=message, retryable=True)


def _book(run: Run[Any], call: LmCall | ToolCall, at: datetime) -> None:
    if isinstance(call, LmCall):
        run.record_call(call, at=at)
    else:
        run.record_tool_call(call, at=at)


def _read(text: Payload) -> JsonObject:
    return _object(json.loads(text.body))


def _object(content: object) -> JsonObject:
    return cast("JsonObject", content)
