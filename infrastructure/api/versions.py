"""Versions of programs over HTTP: read in full, made by hand, compared, taken elsewhere."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Response, status
from pydantic import AliasChoices, BaseModel, Field, JsonValue, PositiveInt

from application.exchange import ExportedProgram, ImportProgram, exported
from application.graphs import ModuleChoice
from application.reasons import NO_REASON
from application.versions import (
    EditPredictors,
    PredictorChange,
    ReorderModules,
    RestoreVersion,
    ReviseProgram,
    content_of,
)
from domain.comparison.values import Breakage, Change, Severity, gravest
from domain.comparison.versions import Rows, Scored, broken_by, compare_versions
from domain.module.kinds import ModuleKind
from domain.program.aggregate import Program
from domain.program.graph import ProgramGraph, module_nodes
from domain.program.predictors import Predictor
from domain.program.values import Adapter, Origin, Pins
from domain.signature.printing import render
from domain.text import LongText, Name
from domain.values import Score
from infrastructure.api.bodies import Body
from infrastructure.api.dependencies import Expected, IdOrName, Reader, Reading, Writing, wish
from infrastructure.api.etags import Written, written
from infrastructure.api.pages import PageView
from infrastructure.api.programs import KIND, PATH
from infrastructure.api.route import router
from projections import program_versions
from projections.datasets import dataset
from projections.kernel import ReadStore

routes = router(PATH, "programs")

Number = Annotated[int, Path(ge=1, le=1_000_000, description="A version of the program.")]
Version = Annotated[
    int | None, Query(ge=1, le=1_000_000, description="The latest version if left out.")
]


class PredictorView(BaseModel):
    """One place of a program that asks a model, and what it is told in a version."""

    name: str = Field(description="Its path, as DSPy's `named_predictors` has it.")
    node: str
    type: ModuleKind
    signature_module: str = Field(description="The signature of its module, as text.")
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    learned_prompt: str | None = Field(
        description="Its instructions; null where DSPy words them around those of the signature."
    )
    few_shot_examples: tuple[dict[str, JsonValue], ...] = Field(description="Its demos, in order.")


class ModuleView(BaseModel):
    """A module of a program at its position."""

    position: int
    node: str
    type: ModuleKind
    signature: str


class VersionView(BaseModel):
    """A version in full: all that it pins."""

    program_id: UUID
    program_version: int
    origin: Origin
    base_version: int | None
    compiled_from: UUID | None
    optimizer: str | None
    training_score: Score | None
    reason: str | None
    pins: Pins
    graph: ProgramGraph
    predictors: tuple[PredictorView, ...]


class ComparisonView(BaseModel):
    """What differs from one version to another, and what the step breaks."""

    before: int
    after: int
    severity: Severity | None = Field(description="Of the gravest change; null if there is none.")
    changes: tuple[Change, ...]
    breaks: Breakage


class NewVersion(Body):
    """The next version, written out: one module, or a whole graph."""

    modules: tuple[ModuleChoice, ...] | None = None
    graph: ProgramGraph | None = None
    reason: LongText = NO_REASON
    forward: JsonValue = Field(
        default=None,
        validation_alias=AliasChoices("forward", "forward_fn"),
        description="Refused: a program is data, never code.",
    )


class Edit(Body):
    """What predictors are told from now on, by name; what is left out stays."""

    base_version: PositiveInt | None = Field(default=None, description="The latest if left out.")
    predictors: dict[str, PredictorChange] = Field(
        default={}, examples=[{"predict": {"instructions": "Answer in one word."}}]
    )
    adapter: Adapter | None = Field(default=None, description="How prompts are written.")
    reason: LongText = NO_REASON


class NewOrder(Body):
    """Positions of nodes; only their order counts, so there may be gaps."""

    positions: dict[str, int] = Field(examples=[{"answer": 0, "plan": 1}])


class Taking(Body):
    """Why a version is taken up again."""

    reason: LongText = NO_REASON


@routes.get("/{program}/versions/{number}/content")
async def get_version_content(program: IdOrName, number: Number, desk: Reading) -> VersionView:
    """Read a version in full. It is read from the log, so it is never behind a write."""
    program_id = await desk.id_of(KIND, program)
    return await desk.run(partial(_version, desk, program_id, number))


@routes.get("/{program}/predictors")
async def list_predictors(
    program: IdOrName, desk: Reading, version: Version = None
) -> PageView[PredictorView]:
    """List the places of a program that ask a model, with what they are told."""
    program_id = await desk.id_of(KIND, program)
    found = await desk.run(partial(_version, desk, program_id, version))
    return PageView(items=found.predictors, next=None)


@routes.get("/{program}/modules")
async def list_program_modules(
    program: IdOrName, desk: Reading, version: Version = None
) -> PageView[ModuleView]:
    """List the modules of a program in their order."""
    program_id = await desk.id_of(KIND, program)
    graph = (await desk.run(partial(_version, desk, program_id, version))).graph
    modules = (
        ModuleView(
            position=position,
            node=node.id,
            type=node.module.kind,
            signature=render(node.module.signature),
        )
        for position, (_, node) in enumerate(module_nodes(graph))
    )
    return PageView(items=tuple(modules), next=None)


@routes.get("/{program}/versions/{number}/diff/{other}")
async def compare_program_versions(
    program: IdOrName, number: Number, other: Number, desk: Reading
) -> ComparisonView:
    """Compare two versions: what changed, how much it matters, and what it breaks."""
    program_id = await desk.id_of(KIND, program)
    scored, rows = await desk.read(partial(_judged, desk.tenant, program_id, number))
    return await desk.run(partial(_compared, desk, program_id, number, other, scored, rows))


@routes.get("/{program}/export")
async def export_program(program: IdOrName, desk: Reading) -> dict[str, JsonValue]:
    """Export a program with all its versions: no ids, no secrets, nothing of its runs."""
    program_id = await desk.id_of(KIND, program)
    return await desk.run(lambda: exported(_program(desk, program_id), desk.deps.payloads))


@routes.post("/import", status_code=status.HTTP_201_CREATED)
async def import_program(
    body: ExportedProgram,
    desk: Writing,
    response: Response,
    name: Annotated[Name | None, Query(description="Instead of its own.")] = None,
) -> Written:
    """Take a program in that was exported here or elsewhere, all of it or nothing."""
    command = wish(ImportProgram, program_id=desk.new_id(KIND), name=name, document=body)
    receipt = await desk.dispatch(command)
    return written(response, receipt, f"{PATH}/{receipt.id}")


@routes.post("/{program}/revise")
async def revise_program(
    program: IdOrName, body: NewVersion, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Write the next version. The graph of the latest one changes nothing."""
    program_id = await desk.id_of(KIND, program)
    values = body.model_dump(exclude_unset=True)
    command = wish(ReviseProgram, program_id=program_id, expected_version=expected, **values)
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


@routes.post("/{program}/edit")
async def edit_predictors(
    program: IdOrName, body: Edit, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Change what predictors are told: a new version, beside the one it is made of."""
    program_id = await desk.id_of(KIND, program)
    values = body.model_dump(exclude_unset=True)
    command = wish(EditPredictors, program_id=program_id, expected_version=expected, **values)
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


@routes.post("/{program}/reorder")
async def reorder_modules(
    program: IdOrName, body: NewOrder, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Put nodes into another order, all at once: a new version."""
    program_id = await desk.id_of(KIND, program)
    command = wish(
        ReorderModules, program_id=program_id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


@routes.post("/{program}/versions/{number}/restore")
async def restore_program_version(
    program: IdOrName,
    number: Number,
    body: Taking,
    desk: Writing,
    expected: Expected,
    response: Response,
) -> Written:
    """Make a version the latest one once more, as a version of its own."""
    program_id = await desk.id_of(KIND, program)
    command = wish(
        RestoreVersion,
        program_id=program_id,
        program_version=number,
        expected_version=expected,
        **body.model_dump(),
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


def _program(desk: Reader, program_id: UUID) -> Program:
    history: Any = (each.event for each in desk.history(KIND, program_id))  # of its kind: checked
    return Program.fold(program_id, history)


def _version(desk: Reader, program_id: UUID, number: int | None) -> VersionView:
    program = _program(desk, program_id)
    chosen = number or program.latest_version
    version = program.version_state(chosen)
    content = content_of(version, desk.deps.payloads)
    modules = {node.id: render(node.module.signature) for _, node in module_nodes(version.graph)}
    return VersionView(
        program_id=program_id,
        program_version=chosen,
        origin=version.origin,
        base_version=version.base_version,
        compiled_from=version.optimization_id,
        optimizer=version.optimizer,
        training_score=version.training_score,
        reason=version.reason,
        pins=version.pins,
        graph=version.graph,
        predictors=tuple(
            _predictor(each, modules[each.node]) for each in content.predictors.values()
        ),
    )


def _predictor(predictor: Predictor, signature: str) -> PredictorView:
    return PredictorView(
        name=predictor.path,
        node=predictor.node,
        type=predictor.kind,
        signature_module=signature,
        inputs=predictor.inputs,
        outputs=predictor.outputs,
        learned_prompt=predictor.instructions,
        few_shot_examples=predictor.demos,
    )


def _judged(
    tenant: str, program_id: UUID, number: int, store: ReadStore
) -> tuple[Sequence[Scored], Sequence[Rows]]:
    """The newest scores of a version, and the datasets that gave them."""
    row = program_versions.program_version(store, program_id, number, tenant=tenant)
    scores = () if row is None else row.scores
    found = [
        dataset(store, each, tenant=tenant)
        for each in dict.fromkeys(score.dataset_id for score in scores)
    ]
    return (
        [Scored(each.evaluation_id, number, each.metric) for each in scores],
        [Rows(each.dataset_id, each.name, each.fields) for each in found if each is not None],
    )


def _compared(
    desk: Reader,
    program_id: UUID,
    number: int,
    other: int,
    scored: Sequence[Scored],
    rows: Sequence[Rows],
) -> ComparisonView:
    program, payloads = _program(desk, program_id), desk.deps.payloads
    before, after = (content_of(program.version_state(each), payloads) for each in (number, other))
    changes = compare_versions(before, after)
    return ComparisonView(
        before=number,
        after=other,
        severity=gravest(changes),
        changes=tuple(changes),
        breaks=broken_by(changes, before, after, evaluations=scored, datasets=rows),
    )
