"""What it costs to check an input against its signature: ``python -m benchmarks.programs``.

Medians of batches, in turns within one run with pydantic's own validation of the same model by
hand: the ratio says what refusing unsafe texts, completing and writing back as JSON add to it.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from benchmarks.report import save, show
from domain.signature.syntax import parse
from domain.signature.validation import validate_inputs

LIMIT_MS: Final = 0.2
BATCHES: Final = 200
CALLS: Final = 50


@dataclass(frozen=True)
class Case:
    """A signature, its inputs, and the model somebody would write by hand for them."""

    name: str
    syntax: str
    inputs: Mapping[str, JsonValue]
    by_hand: type[BaseModel]


@dataclass(frozen=True)
class ValidationRow:
    """Medians of one validation; ``ratio`` is to the model by hand."""

    name: str
    p50_ms: float
    p99_ms: float
    by_hand_ms: float
    ratio: float


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Question(_Closed):
    question: str


class Home(_Closed):
    street: str
    zip: Annotated[str, Field(pattern="^[0-9]+$")] | None = None


class Person(_Closed):
    name: str
    age: Annotated[int, Field(ge=0)] | None = None
    home: Home


class Everything(_Closed):
    question: Annotated[str, Field(min_length=1)]
    k: Annotated[int, Field(ge=1, le=9)] = 3
    tags: Annotated[list[Literal["a", "b"]], Field(max_length=5)]
    sure: Annotated[float, Field(ge=0, le=1)]
    who: Person


class Passages(_Closed):
    question: str
    passages: list[str]


CASES: Final[Sequence[Case]] = (
    Case("a question", "question -> answer", {"question": "Who wrote it?"}, Question),
    Case(
        "bounds and objects",
        "question: string(min_length=1), k: integer(ge=1, le=9) = 3,"
        " tags: list[enum[a, b]](max_items=5), sure: probability, who: object{name: string,"
        " age?: integer(ge=0), home: object{street: string, zip?: string(pattern='^[0-9]+$')}}"
        " -> answer",
        {
            "question": "Who wrote it?",
            "k": "4",
            "tags": ["a", "b"],
            "sure": 0.5,
            "who": {"name": "Ann", "age": 4, "home": {"street": "At the park", "zip": "123"}},
        },
        Everything,
    ),
    Case(
        "100 passages of 500 characters",
        "question, passages: list[string] -> answer",
        {"question": "Who wrote it?", "passages": ["word " * 100] * 100},
        Passages,
    ),
)


def validation() -> Sequence[ValidationRow]:
    """What each case costs."""
    return [_measured(case) for case in CASES]


def _measured(case: Case) -> ValidationRow:
    spec, inputs = parse(case.syntax), dict(case.inputs)
    ours, hand = list[float](), list[float]()
    for _ in range(BATCHES):
        ours.append(_batch_ms(lambda: validate_inputs(spec, inputs)))
        hand.append(_batch_ms(lambda: case.by_hand.model_validate(inputs)))
    p50_ms, by_hand_ms = statistics.median(ours), statistics.median(hand)
    p99_ms = statistics.quantiles(ours, n=100)[98]
    return ValidationRow(case.name, p50_ms, p99_ms, by_hand_ms, p50_ms / by_hand_ms)


def _batch_ms(call: Callable[[], object]) -> float:
    """The mean of one call within a batch, in milliseconds, without collections of garbage."""
    gc.disable()
    try:
        started = time.perf_counter()
        for _ in range(CALLS):
            call()
        return (time.perf_counter() - started) / CALLS * 1000
    finally:
        gc.enable()


def main() -> None:
    """Measure, print, and write ``benchmarks/results/programs.json``."""
    rows = validation()
    save("programs", {"validation": [asdict(row) for row in rows]})
    show(
        f"One validation of inputs, at most {LIMIT_MS} ms",
        ["inputs", "p50, ms", "p99, ms", "by hand, ms", "ratio"],
        [
            (
                row.name,
                f"{row.p50_ms:.4f}",
                f"{row.p99_ms:.4f}",
                f"{row.by_hand_ms:.4f}",
                f"{row.ratio:.1f}",
            )
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
