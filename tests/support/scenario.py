"""Given events, when something is asked of an aggregate, then events or a refusal.

A fixture hands a scenario out through ``told``, so a test that forgets its ``then`` fails::

    @pytest.fixture
    def program() -> Iterator[Scenario[Program]]:
        yield from told(Program)
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from domain.errors import DomainError
from domain.kernel import Aggregate, Event

A = TypeVar("A", bound=Aggregate[Any])
R = TypeVar("R", bound=DomainError)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ID = UUID("00000000-0000-7000-8000-000000000001")


class Scenario(Generic[A]):
    def __init__(self, kind: type[A]) -> None:
        self.kind = kind
        self.is_told = False
        self._aggregate: A | None = None
        self._refusal: DomainError | None = None
        self._asked = False

    def given(self, *history: Event) -> Self:
        """Start from what happened before."""
        self._aggregate = self.kind.fold(ID, history)
        return self

    def when(self, act: Callable[[A], object]) -> Self:
        """Ask something of the aggregate."""
        assert self._aggregate is not None, "given() comes before when()."
        aggregate = self._aggregate
        self._try(lambda: act(aggregate))
        return self

    def when_begun(self, begin: Callable[[UUID], A]) -> Self:
        """Begin a life instead of being given one."""

        def begun() -> None:
            self._aggregate = begin(ID)

        self._try(begun)
        return self

    def then(self, *expected: Event) -> A:
        """Exactly these events were recorded, now; hand the aggregate over for a closer look."""
        aggregate = self.then_accepted()
        pending = aggregate.collect()
        assert [each.event for each in pending] == [*expected]
        assert all(each.at == NOW for each in pending)
        return aggregate

    def then_accepted(self) -> A:
        """It was not refused, whatever was recorded; hand the aggregate over."""
        self._tell()
        assert self._refusal is None, f"It was refused: {self._refusal}"
        assert self._aggregate is not None
        return self._aggregate

    def then_refused(self, error: type[R]) -> R:
        """It was refused with *error* and nothing was recorded; hand the error over."""
        self._tell()
        assert isinstance(self._refusal, error), f"Expected {error.__name__}: {self._refusal!r}"
        assert self._aggregate is None or not self._aggregate.collect()
        return self._refusal

    def _try(self, act: Callable[[], object]) -> None:
        self._asked = True
        try:
            act()
        except DomainError as error:
            self._refusal = error

    def _tell(self) -> None:
        assert self._asked, "when() comes before then()."
        self.is_told = True


def told(kind: type[A]) -> Iterator[Scenario[A]]:
    """A scenario for one test, which must end with its ``then``."""
    scenario = Scenario(kind)
    yield scenario
    assert scenario.is_told, "The scenario ends without then() or then_refused()."
