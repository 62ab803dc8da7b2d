"""What an engine is asked and answers, as JSON and back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from application.lm_ports import (
    Diverged,
    Forwarded,
    JsonObject,
    Missed,
    ModelChoice,
    OptimizedProgram,
    OptimizerJob,
    ProgramFailed,
    RunnableProgram,
    RunStopped,
    SharedAnswer,
)
from application.payloads import Payload
from domain.program.edits import PredictorEdit
from domain.program.graph import ProgramGraph
from domain.program.values import Adapter
from domain.tool.values import Corpus
from domain.values import AS_DSPY, Failure, LmCall, Reading, RunRef, ToolCall
from infrastructure.engines.channel import AskingFailed, Params
from infrastructure.engines.frames import FrameIsTooLarge

_UNKNOWN: Final = "unknown_program"


class ProgramIsUnknown(Exception):
    """A program was named that the other side was never told of, or has forgotten: tell it."""


class EngineFault(Exception):
    """A defect, not of a program but of the engine in another process; ``code`` if it has one."""

    def __init__(self, message: str, code: str | None) -> None:
        super().__init__(message)
        self.code = code


class _Named(BaseModel):
    """A program that a tool is, under its id and version."""

    id: UUID
    version: int
    program: "ProgramOnTheWire"


class _Texts(BaseModel):
    corpus: Corpus
    texts: tuple[str, ...]


class _Rows(BaseModel):
    dataset_id: UUID
    rows: tuple[dict[str, JsonValue], ...]


class ProgramOnTheWire(BaseModel):
    """A runnable program as JSON. How its answers are read is told with each run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    graph: ProgramGraph
    state: dict[str, JsonValue] | None
    edits: dict[str, PredictorEdit]
    adapter: Adapter | None
    programs: tuple[_Named, ...]
    corpora: tuple[_Texts, ...]
    examples: tuple[_Rows, ...]
    learned_under: str | None

    @classmethod
    def of(cls, program: RunnableProgram) -> "ProgramOnTheWire":
        return cls(
            key=program.key,
            graph=program.graph,
            state=None if program.state is None else dict(program.state),
            edits=dict(program.edits),
            adapter=program.adapter,
            programs=tuple(
                _Named(id=program_id, version=version, program=cls.of(inner))
                for (program_id, version), inner in program.programs.items()
            ),
            corpora=tuple(
                _Texts(corpus=corpus, texts=tuple(texts))
                for corpus, texts in program.corpora.items()
            ),
            examples=tuple(
                _Rows(dataset_id=dataset_id, rows=tuple(dict(row) for row in rows))
                for dataset_id, rows in program.examples.items()
            ),
            learned_under=program.learned_under,
        )

    def runnable(self) -> RunnableProgram:
        """The program again."""
        return RunnableProgram(
            self.key,
            self.graph,
            self.state,
            self.edits,
            self.adapter,
            {(each.id, each.version): each.program.runnable() for each in self.programs},
            {each.corpus: each.texts for each in self.corpora},
            {each.dataset_id: each.rows for each in self.examples},
            learned_under=self.learned_under,
        )


def reading_json(reading: Reading) -> JsonValue:
    """How answers are read; nothing for the way of DSPy."""
    return None if reading == AS_DSPY else json_of(reading)


def read_with(program: RunnableProgram, told: JsonValue) -> RunnableProgram:
    """*program*, whose answers are read as was *told*."""
    return program if told is None else replace(program, reading=Reading.model_validate(told))


def model_json(model: ModelChoice | None) -> JsonValue:
    """The model that a run is on; nothing for that of the process."""
    return None if model is None else cast("Params", asdict(model))


def on_model(program: RunnableProgram, told: JsonValue) -> RunnableProgram:
    """*program* on the model that was *told*."""
    if told is None:
        return program
    return replace(program, model=TypeAdapter(ModelChoice).validate_python(told))


def json_of(value: BaseModel) -> Params:
    """*value* as JSON."""
    return cast("Params", value.model_dump(mode="json"))


def job_json(job: OptimizerJob) -> Params:
    """*job* without its program, which is told apart."""
    return {
        "optimizer": job.optimizer,
        "config": dict(job.config),
        "metric": job.metric,
        "seed": job.seed,
        "rows": [dict(row) for row in job.rows],
    }


def job_of(program: RunnableProgram, told: Params) -> OptimizerJob:
    return OptimizerJob(
        program=program,
        optimizer=str(told["optimizer"]),
        config=cast("JsonObject", told["config"]),
        metric=str(told["metric"]),
        seed=cast("int", told["seed"]),
        rows=cast("Sequence[JsonObject]", told["rows"]),
    )


def optimized_json(found: OptimizedProgram) -> JsonValue:
    return {"state": dict(found.state), "training_score": found.training_score}


def optimized_of(told: JsonValue) -> OptimizedProgram:
    found = cast("dict[str, Any]", told)
    return OptimizedProgram(found["state"], found["training_score"])


def forwarded_json(answers: Sequence[Forwarded]) -> JsonValue:
    return [
        {"failure": json_of(each.failure)}
        if each.failure is not None
        else {"outputs": dict(each.outputs or {})}
        for each in answers
    ]


def forwarded_of(told: JsonValue) -> Sequence[Forwarded]:
    return [
        Forwarded(None, Failure.model_validate(each["failure"]))
        if "failure" in each
        else Forwarded(each["outputs"], None)
        for each in cast("list[dict[str, Any]]", told)
    ]


def call_json(call: LmCall | ToolCall, *texts: Payload | None) -> Params:
    """A *call* with the *texts* that it refers to, in their order."""
    return {
        "call": json_of(call),
        "texts": [None if each is None else each.body.decode() for each in texts],
    }


def texts_of(told: Params) -> list[Payload | None]:
    texts = cast("list[str | None]", told["texts"])
    return [None if each is None else Payload.of(json.loads(each)) for each in texts]


def shared_json(found: SharedAnswer | None) -> JsonValue:
    if found is None:
        return None
    return {"response": dict(found.response), "filled_by": json_of(found.filled_by)}


def shared_of(told: JsonValue) -> SharedAnswer | None:
    if told is None:
        return None
    found = cast("dict[str, Any]", told)
    return SharedAnswer(found["response"], RunRef.model_validate(found["filled_by"]))


def error_json(error: BaseException) -> Params:
    """*error* for the other side."""
    match error:
        case ProgramFailed():
            return {"kind": "failed", "failure": json_of(error.failure)}
        case Diverged():
            told = {"kind": "diverged", "message": error.failure.message}
            return {**told, "missed": asdict(error.missed)}
        case RunStopped():
            return {"kind": "stopped", "failure": json_of(error.failure)}
        case ProgramIsUnknown():
            return {"kind": _UNKNOWN}
        case FrameIsTooLarge():
            failure = Failure(
                code="engine.frame_too_large",
                message=f"The engine gave more than it can be asked for. {error}",
            )
            return {"kind": "failed", "failure": json_of(failure)}
        case _:
            code = getattr(error, "code", None)
            message = f"{type(error).__name__}: {str(error)[:500]}"
            return {
                "kind": "fault",
                "message": str(error)[:500] if isinstance(code, str) else message,
                "code": code if isinstance(code, str) else None,
            }


def error_of(told: AskingFailed) -> BaseException:
    """The error that the other side had."""
    error: Mapping[str, Any] = told.error
    match error.get("kind"):
        case "failed":
            return ProgramFailed(Failure.model_validate(error["failure"]))
        case "diverged":
            return Diverged(
                str(error["message"]), Missed(**cast("dict[str, Any]", error["missed"]))
            )
        case "stopped":
            return RunStopped(Failure.model_validate(error["failure"]))
        case "unknown_program":
            return ProgramIsUnknown()
        case _:
            return EngineFault(str(error.get("message")), cast("str | None", error.get("code")))
