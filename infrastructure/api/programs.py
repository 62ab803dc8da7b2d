"""Programs over HTTP: written, tested, compiled into better versions, deployed with a reason."""

from functools import partial
from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

from fastapi import Path, Query, Response, status
from pydantic import AliasChoices, Field, JsonValue, PositiveInt

from application.errors import AggregateNotFound
from application.graphs import ModuleChoice
from application.programs import CreateProgram, DeployProgram, RetireProgram, StartTesting
from application.reasons import NO_REASON
from domain.errors import NotFoundError
from domain.program.errors import ProgramVersionNotFound
from domain.program.graph import ProgramGraph
from domain.program.values import Stage
from domain.text import JsonObject, LongText, Name
from domain.values import Usd
from infrastructure.api.bodies import Body, NewThing, Retirement
from infrastructure.api.dependencies import Expected, IdOrName, Reading, Writing, id_or, wish
from infrastructure.api.etags import Written, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from infrastructure.system import SystemClock
from projections import program_catalog, program_costs, program_versions
from projections.kernel import ReadStore
from projections.program_catalog import Sorting
from projections.program_costs import Month, PricedProgram
from projections.program_versions import ProgramVersionRow

KIND = "program"
PATH = "/v1/programs"
routes = router(PATH, "programs")
_CLOCK: Final = SystemClock()


class NewProgram(NewThing):
    """A program: one module in ``modules``, or a whole ``graph``. Its first version is 1."""

    name: Name = Field(examples=["triage"])
    description: LongText | None = None
    config: JsonObject = {}
    modules: tuple[ModuleChoice, ...] | None = Field(
        default=None,
        examples=[[{"kind": "predict", "signature_syntax": "message: str -> queue: str"}]],
    )
    graph: ProgramGraph | None = None
    default_optimizer: str | None = Field(
        default=None, description="The optimizer when compile names none."
    )
    forward: JsonValue = Field(
        default=None,
        validation_alias=AliasChoices("forward", "forward_fn"),
        description="Refused: a program is data, never code.",
    )


class NewDeployment(Body):
    """A version to make live, and why."""

    program_version: PositiveInt | None = Field(
        default=None, description="The latest version if left out."
    )
    reason: LongText = NO_REASON
    evidence: tuple[UUID, ...] = Field(
        default=(), description="Completed evaluations that speak for it."
    )


class NothingIsDeployed(NotFoundError):
    code: ClassVar[str] = "program.not_deployed"

    def __init__(self, program_id: UUID) -> None:
        super().__init__(
            f"No version of program {program_id} is in production. Deploy one, or ask for latest."
        )


MonthlyCost = Annotated[bool, Query(description="Tell what it cost in the last 30 days.")]
Role = Literal["production", "latest"]
VersionOrRole = Annotated[
    PositiveInt | Role,
    Path(alias="program_version", description="A number from 1, or which one is meant."),
]


@routes.post("", status_code=status.HTTP_201_CREATED)
async def create_program(body: NewProgram, desk: Writing, response: Response) -> Written:
    """Create a program."""
    values = body.model_dump(exclude={"id"}, exclude_unset=True)
    receipt = await desk.dispatch(
        wish(CreateProgram, program_id=desk.new_id(KIND, body.id), **values)
    )
    return written(response, receipt, f"{PATH}/{receipt.id}")


@routes.get("")
async def list_programs(
    desk: Reading,
    name: Annotated[str | None, Query(description="Only those called so.")] = None,
    stage: Annotated[
        Stage | None, Query(description="Only those in a stage; retired ones need it.")
    ] = None,
    order: Annotated[
        Sorting | Literal["monthly_cost"],
        Query(description="The newest first, those changed last, or those that cost most."),
    ] = "newest",
    min_monthly_cost_usd: Annotated[
        Usd | None, Query(description="Only those that cost as much in the last 30 days.")
    ] = None,
    monthly_cost: MonthlyCost = False,
    archived: Annotated[bool, Query(description="Those in the archive, instead.")] = False,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[PricedProgram]:
    """List programs, newest first.

    What they cost is told if it is asked for, or if they are ordered or chosen by it.
    """
    month = Month(
        until=desk.moment or _CLOCK.now(),
        min_usd=min_monthly_cost_usd,
        dearest_first=order == "monthly_cost",
    )
    return shown(
        await desk.read(
            partial(
                program_costs.priced_programs,
                tenant=desk.tenant,
                month=month if monthly_cost or month.chooses else None,
                name=name,
                stage=stage,
                archived=archived,
                order="newest" if order == "monthly_cost" else order,
                limit=limit,
                after=decode(cursor),
            )
        )
    )


@routes.get("/{program}")
async def get_program(
    program: IdOrName, desk: Reading, response: Response, monthly_cost: MonthlyCost = False
) -> PricedProgram:
    """Read one program, by id or name, retired or not. A former name leads to it, too."""
    month = Month(until=desk.moment or _CLOCK.now()) if monthly_cost else None
    query = partial(program_costs.priced_program, tenant=desk.tenant, month=month)
    wanted = id_or(program)
    row = await desk.read(lambda store: query(store, wanted))
    if row is None and isinstance(wanted, str):
        holder = await desk.id_of(KIND, wanted)
        row = await desk.read(lambda store: query(store, holder))
    if row is None:
        raise AggregateNotFound(KIND, wanted)
    tag(response, row.version)
    return row


@routes.get("/{program}/versions")
async def list_program_versions(
    program: IdOrName, desk: Reading, limit: Limit = LIMIT, cursor: After = None
) -> PageView[ProgramVersionRow]:
    """List the versions of a program, newest first, with scores and deployments."""
    program_id, after = await desk.id_of(KIND, program), decode(cursor)
    page = await desk.read(
        lambda store: program_versions.program_versions(
            store, program_id, tenant=desk.tenant, limit=limit, after=after
        )
    )
    if not page.rows and after is None:
        raise AggregateNotFound(KIND, program_id)
    return shown(page)


@routes.get("/{program}/versions/{program_version}")
async def get_program_version(
    program: IdOrName, wanted: VersionOrRole, desk: Reading
) -> ProgramVersionRow:
    """Read one version of a program: by its number, or the one in production, or the latest."""
    return await desk.read(lambda store: _version(store, desk.tenant, id_or(program), wanted))


@routes.post("/{program}/testing")
async def start_testing(
    program: IdOrName, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Move a draft on to testing."""
    program_id = await desk.id_of(KIND, program)
    command = wish(StartTesting, program_id=program_id, expected_version=expected)
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


@routes.post("/{program}/deploy")
async def deploy_program(
    program: IdOrName, body: NewDeployment, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Make a version live. The reason and the scores it leans on are kept with it."""
    program_id = await desk.id_of(KIND, program)
    values = body.model_dump(exclude_unset=True)
    command = wish(DeployProgram, program_id=program_id, expected_version=expected, **values)
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


@routes.post("/{program}/retire")
async def retire_program(
    program: IdOrName, body: Retirement, desk: Writing, expected: Expected, response: Response
) -> Written:
    """Take a program out of service. It stays readable and runs no more."""
    program_id = await desk.id_of(KIND, program)
    command = wish(
        RetireProgram, program_id=program_id, expected_version=expected, **body.model_dump()
    )
    return written(response, await desk.dispatch(command), f"{PATH}/{program_id}")


def _version(
    store: ReadStore, tenant: str, program: UUID | str, wanted: int | Role
) -> ProgramVersionRow:
    row = program_catalog.program(store, program, tenant=tenant)
    if row is None:
        raise AggregateNotFound(KIND, program)
    roles = {"latest": row.latest_version, "production": row.deployed_version}
    number = wanted if isinstance(wanted, int) else roles[wanted]
    if number is None:
        raise NothingIsDeployed(row.program_id)
    found = program_versions.program_version(store, row.program_id, number, tenant=tenant)
    if found is None:
        raise ProgramVersionNotFound(row.program_id, number, row.latest_version)
    return found
