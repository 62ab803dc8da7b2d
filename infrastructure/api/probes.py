"""Probes over HTTP: a module of one's own, tried out in a worker before a program may hold it."""

from functools import partial
from typing import Annotated, Final
from uuid import UUID

from fastapi import Path, Query, Response, status
from pydantic import Field

from application.probes import RequestProbe
from domain.probe.events import ProbeAccepted, ProbeRefused
from domain.probe.values import ProbeStatus
from domain.text import JsonObject
from infrastructure.api.bodies import NewThing
from infrastructure.api.dependencies import Desk, Reading, Writing, wish
from infrastructure.api.etags import placed, tag, written
from infrastructure.api.pages import LIMIT, After, Limit, PageView, decode, shown
from infrastructure.api.route import router
from infrastructure.api.runs import DEFAULT_WAIT_S, Wait, until_ended
from projections import probes as read_model
from projections import states
from projections.probes import ProbeRow

KIND: Final = "probe"
PATH: Final = "/v1/probes"
routes = router(PATH, "probes")

_ENDS: Final = frozenset({ProbeAccepted.TOPIC, ProbeRefused.TOPIC})

Id = Annotated[UUID, Path(alias="probe_id")]


class NewProbe(NewThing):
    """A class to try out, and what it promises."""

    import_path: str = Field(
        description="A class of an allowed package.", examples=["acme_rag.rag:MyRAG"]
    )
    arguments: JsonObject = Field(
        default={}, description="For its constructor, by name.", examples=[{"k": 3}]
    )
    signature_id: UUID | None = Field(default=None, description="What it takes and gives.")
    signature_syntax: str | None = Field(
        default=None,
        description="The same as text. Without outputs, what it returns is told as `result`.",
        examples=["question -> answer"],
    )
    inputs: JsonObject = Field(
        default={}, description="For the dry run; those left out are made up."
    )


class ProbeView(ProbeRow):
    """A probe, as new as the log itself."""

    latest_position: int = Field(description="Where in the log its latest event lies.")

    @property
    def ended(self) -> bool:
        """Whether it was accepted or refused."""
        return self.status is not ProbeStatus.PENDING


@routes.post(
    "",
    responses={202: {"model": ProbeView, "description": "It has not ended yet."}},
)
async def request_probe(body: NewProbe, desk: Writing, wait: Wait, response: Response) -> ProbeView:
    """Try a module of your own out, and wait for the end. Workers import it, this process never."""
    probe_id = desk.new_id(KIND, body.id)
    values = body.model_dump(exclude={"id"}, exclude_unset=True)
    command = wish(RequestProbe, probe_id=probe_id, **values)
    with desk.deps.expect(probe_id, _ENDS) as expectation:
        receipt = await desk.dispatch(command)
        written(response, receipt, f"{PATH}/{probe_id}")
        look = partial(desk.run, partial(_view, desk, probe_id))
        wait_s = DEFAULT_WAIT_S if wait is None else wait
        view = await until_ended(expectation, look, wait_s, is_new=desk.key is None)
    tag(response, view.version)
    placed(response, view.latest_position)
    if not view.ended:
        response.status_code = status.HTTP_202_ACCEPTED
    return view


@routes.get("")
async def list_probes(
    desk: Reading,
    import_path: Annotated[str | None, Query(description="Only those of a class.")] = None,
    probe_status: Annotated[ProbeStatus | None, Query(alias="status")] = None,
    limit: Limit = LIMIT,
    cursor: After = None,
) -> PageView[ProbeRow]:
    """List probes, newest first."""
    after = decode(cursor)
    return shown(
        await desk.read(
            lambda store: read_model.probes(
                store,
                tenant=desk.tenant,
                import_path=import_path,
                status=probe_status,
                limit=limit,
                after=after,
            )
        )
    )


@routes.get("/{probe_id}")
async def get_probe(id: Id, desk: Reading, response: Response) -> ProbeView:
    """Read one probe: what was found in the module, or why it was refused."""
    view = await desk.run(partial(_view, desk, id))
    tag(response, view.version)
    return view


def _view(desk: Desk, id: UUID) -> ProbeView:
    row: ProbeRow | None = None
    latest = 0
    for recorded in desk.history(KIND, id):
        row, latest = states.probe(row, recorded), recorded.position or 0
    assert row is not None
    return ProbeView(**dict(row), latest_position=latest)
