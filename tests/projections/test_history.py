"""What each event made of a thing: what its read model shows, and what its changes add up to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.kernel import Recorded
from domain.text import mended
from projections.bindings import binding
from projections.datasets import dataset
from projections.differences import differences
from projections.evaluations import evaluation
from projections.executions import execution
from projections.history import Change, HistoryRow, Kind, Mode, history, state
from projections.keys import key
from projections.modules import module
from projections.optimization_board import optimization
from projections.paging import CursorIsInvalid
from projections.probes import probe
from projections.program_catalog import program
from projections.records import record
from projections.signatures import signature
from projections.tools import tool
from projections.webhooks import webhook
from projections.workflow_runs import workflow_run
from projections.workflows import workflow
from tests.projections.test_laws import property_test
from tests.support import histories as build
from tests.support.histories import Log, an_id
from tests.support.invariants import by_stream
from tests.support.legal_histories import logs
from tests.support.projecting import ReadModels, for_tenant
from tests.support.stories import everything

READ: Final[Mapping[str, Callable[..., Any]]] = {
    "signature": signature,
    "module": module,
    "program": program,
    "dataset": dataset,
    "execution": execution,
    "optimization": optimization,
    "evaluation": evaluation,
    "probe": probe,
    "tool": tool,
    "workflow": workflow,
    "workflow_run": workflow_run,
    "webhook": webhook,
    "record": lambda store, of, **asked: record(store, "post", of, **asked),
    "binding": binding,
    "api_key": key,
}


def kind_of(stream: Sequence[Recorded]) -> Any:
    """The kind of thing that *stream* is about."""
    return stream[0].event.TOPIC.partition(".")[0]


def whole(stream: Sequence[Recorded], mode: Mode = "changes_only") -> Sequence[HistoryRow]:
    """The whole history, oldest first."""
    return history(stream, kind=kind_of(stream), mode=mode, order="oldest", limit=10_000).rows


def patched(document: JsonValue, change: Change) -> JsonValue:
    """*document* after *change*, by RFC 6902."""
    copy: Any = {**document} if isinstance(document, dict) else None
    step, deeper, rest = change.path[1:].partition("/")
    name = step.replace("~1", "/").replace("~0", "~")
    if deeper:
        copy[name] = patched(copy[name], change.model_copy(update={"path": f"/{rest}"}))
    elif change.op == "remove":
        del copy[name]
    else:
        assert (name in copy) is (change.op == "replace")
        copy[name] = change.value
    return copy  # type: ignore[no-any-return]  # it is JSON


def assert_as_its_read_model(models: ReadModels, tenant: str, recorded: Sequence[Recorded]) -> None:
    """Every thing of *recorded* folded from its stream is the row of its read model."""
    for thing, stream in by_stream(recorded).items():
        if (kind := kind_of(stream)) not in READ:
            continue  # what the service says of itself has no read model but the trail
        row = READ[kind](models.store, thing, tenant=tenant)
        shown = row.model_dump(mode="json", exclude={"adopted_version", "adopted_at"})
        assert state(stream, kind=kind) == shown


@pytest.mark.feature("AUD-02")
@pytest.mark.postgres
@property_test
@given(log=logs(), n=st.integers(1, 60))
def test_aud_02_the_state_after_event_n_is_the_read_model_of_the_first_n(
    models: ReadModels, log: Log, n: int
) -> None:
    tenant = f"tenant-{uuid4().hex}"
    first = for_tenant(tenant, log.recorded[:n])
    models.project(first)
    assert_as_its_read_model(models, tenant, first)


@pytest.mark.postgres
def test_every_event_leads_to_what_the_read_model_shows(models: ReadModels) -> None:
    tenant = f"tenant-{uuid4().hex}"
    recorded = for_tenant(tenant, everything().recorded)
    models.project(recorded)
    assert_as_its_read_model(models, tenant, recorded)
    assert {kind_of(stream) for stream in by_stream(recorded).values()} >= set(get_args(Kind))
    assert READ.keys() == set(get_args(Kind))


@property_test
@given(log=logs())
def test_the_changes_one_after_another_make_each_snapshot(log: Log) -> None:
    for stream in by_stream(log.recorded).values():
        if kind_of(stream) not in READ:
            continue  # prices have a book that tells all of them, and no history of its own
        document: JsonValue = {}
        for told, shown in zip(whole(stream), whole(stream, "snapshot"), strict=True):
            for change in told.changes:
                document = patched(document, change)
            assert isinstance(document, dict)
            kept = {
                name: shown.snapshot[name]
                for name in ("version", "updated_at")
                if name in shown.snapshot
            }
            assert document | kept == shown.snapshot


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.sampled_from(["a", "b", "a/b", "~", ""]), JSON, max_size=4)


@given(before=OBJECT, after=OBJECT)
def test_differences_lead_from_one_document_to_the_other(
    before: dict[str, JsonValue], after: dict[str, JsonValue]
) -> None:
    before, after = _storable(before), _storable(after)
    document: JsonValue = before
    for each in differences(before, after):
        document = patched(document, Change(op=each.op, path=each.path, value=each.after))
    assert document == after
    assert list(differences(after, after)) == []


def _storable(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """*value* as a thing holds it: without a name that cannot be shown."""
    fit = mended(value)
    assert isinstance(fit, dict)
    return fit


def test_equal_numbers_of_two_types_and_truth_are_not_equal() -> None:
    assert [each.path for each in differences({"a": 1, "b": [0]}, {"a": True, "b": [0]})] == ["/a"]


A_LIFE: Final = (
    build.module_created("router"),
    build.module_configured(temperature=0.5, max_tokens=1000),
)


@pytest.mark.feature("AUD-04")
def test_aud_04_a_change_of_one_field_is_told_as_that_field_alone() -> None:
    renamed = differences({"name": "a", "stage": "draft"}, {"name": "b", "stage": "draft"})
    assert [each.path for each in renamed] == ["/name"]
    stream = Log().append(an_id("m"), *A_LIFE)
    created, configured = whole(stream)
    assert {each.op for each in created.changes} == {"add"}
    assert configured.model_dump(exclude_unset=True)["changes"] == (
        {"op": "replace", "path": "/config/temperature", "value": 0.5},
    )


@pytest.mark.feature("AUD-04")
def test_aud_04_a_full_diff_says_what_was_there_and_a_snapshot_all_there_is() -> None:
    stream = Log().append(an_id("m"), *A_LIFE)
    told = whole(stream, "full_diff")[1].model_dump(exclude_unset=True)
    assert told["changes"] == (
        {"op": "replace", "path": "/config/temperature", "value": 0.5, "before": 0.0},
    )
    shown = whole(stream, "snapshot")[1]
    assert shown.snapshot == state(stream, kind="module")
    assert "changes" not in shown.model_fields_set


LATER = [
    "program.revised",
    "program.version_edited",
    "program.version_restored",
    "program.version_imported",
    "program.renamed",
    "program.described",
    "program.configured",
    "program.archived",
    "program.restored",
]


@pytest.mark.feature("AUD-03")
@pytest.mark.parametrize(
    ("thing", "kind", "status", "topics"),
    [
        (
            "program",
            "program",
            "production",
            ["program.deployed", "program.compiled", "program.deployed", *LATER],
        ),
        ("program", "program", "retired", ["program.retired"]),
        ("module", "module", "active", ["module.created", "module.configured"]),
        ("execution 1", "execution", "completed", ["execution.completed"]),
        ("execution 1", "execution", "cancelled", []),
    ],
)
def test_aud_03_versions_have_name_config_and_status_and_are_found_by_status(
    thing: str, kind: Kind, status: str, topics: list[str]
) -> None:
    stream = by_stream(everything().recorded)[an_id(thing)]
    found = history(stream, kind=kind, status=status, order="oldest", limit=200).rows
    assert [row.topic for row in found] == topics
    assert {row.status for row in found} <= {status}
    if kind == "program":
        assert {row.name for row in found} <= {"triage", "sorting"}
        assert all(row.config is not None for row in found)


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_its_pages_make_up_the_whole(order: Any, limit: int) -> None:
    stream = by_stream(everything().recorded)[an_id("program")]
    pages = [history(stream, kind="program", order=order, limit=limit)]
    while (after := pages[-1].next) is not None:
        pages.append(history(stream, kind="program", order=order, limit=limit, after=after))
    versions = [row.version for page in pages for row in page.rows]
    expected = [each.originator_version for each in stream]
    assert versions == (expected if order == "oldest" else expected[::-1])


@pytest.mark.parametrize("cursor", [("x",), (1, 2), ()])
def test_a_cursor_of_another_list_is_refused(cursor: tuple[int | str, ...]) -> None:
    stream = Log().append(UUID(int=1), *A_LIFE)
    with pytest.raises(CursorIsInvalid):
        history(stream, kind="module", after=cursor)
