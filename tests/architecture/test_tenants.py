"""A tenant by construction: every command, envelope, read model and query has one."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from importlib import import_module
from pkgutil import iter_modules
from typing import ClassVar, Final, LiteralString, get_type_hints

import pytest

import projections
from application.commands import Command, CommandBus
from application.context import Context
from docs.generators.packages import leaves
from domain.kernel import Envelope
from infrastructure.workers.jobs import JobContext
from projections.kernel import Projection
from projections.registry import PROJECTIONS
from projections.signatures import Signatures

pytestmark = pytest.mark.feature("VIS-24")

SEE_ALL: Final = frozenset(
    {
        "projections.batches._UNFINISHED",
        "projections.records._FORGOTTEN",
        "projections.unfinished._UNFINISHED",
        "projections.webhooks._ACTIVE",
        "projections.workflow_runs._UNFINISHED",
    }
)
"""Queries about every tenant, asked by no request: what sweep and courier look for."""

_TABLE: Final = re.compile(r"CREATE TABLE (\w+) \((.*?)\n        \)", re.DOTALL)
_ROWS: Final = re.compile(r"\b(FROM|UPDATE|INTO)\s+[a-z_]+")
_ITS_OWN: Final = re.compile(r"\btenant\s*(=|IN)\s*\(?%\(tenant\)s|VALUES\s*\(%\(tenant\)s")
_COPIED: Final = re.compile(r"SELECT %\(tenant\)s")


def tables_without_tenant(projection: type[Projection]) -> list[str]:
    """Tables whose rows may have no tenant, or whose key begins with something else."""
    return [
        name
        for name, columns in _TABLE.findall(projection.schema)
        if not re.search(r"\btenant\s+text NOT NULL", columns)
        or not re.search(r"PRIMARY KEY \(tenant\b", columns)
    ]


def queries_without_tenant(texts: Mapping[str, str]) -> list[str]:
    """Which of *texts* read or change rows and do not say whose."""
    return [
        name
        for name, text in texts.items()
        if _ROWS.search(text) and not (_ITS_OWN.search(text) or _COPIED.search(text))
    ]


@pytest.mark.parametrize("projection", [type(each) for each in PROJECTIONS])
def test_vis_24_every_row_of_a_read_model_has_a_tenant(projection: type[Projection]) -> None:
    assert _TABLE.findall(projection.schema), "It has tables that this test cannot read."
    assert projection.schema.count("CREATE TABLE") - _kept(projection) == len(
        _TABLE.findall(projection.schema)
    )
    assert tables_without_tenant(projection) == []


def test_vis_24_every_query_of_a_read_model_says_whose_rows_it_means() -> None:
    texts = dict(_texts())
    assert len(texts) > 60
    assert set(queries_without_tenant(texts)) == SEE_ALL


def test_vis_24_a_table_or_a_query_without_a_tenant_is_found() -> None:
    class Open(Signatures):
        schema: ClassVar[LiteralString] = """
        CREATE TABLE open (
            id uuid PRIMARY KEY
        );
        CREATE TABLE half (
            tenant text NOT NULL,
            id uuid NOT NULL,
            PRIMARY KEY (id, tenant)
        );
        """

    assert tables_without_tenant(Open) == ["open", "half"]
    seeded = {
        "all": "SELECT name FROM program ORDER BY position",
        "other": "UPDATE program SET name = %(name)s WHERE id = %(id)s",
        "mine": "SELECT name FROM program WHERE tenant = %(tenant)s",
    }
    assert queries_without_tenant(seeded) == ["all", "other"]


def test_vis_24_nothing_is_recorded_queued_or_carried_out_without_a_tenant() -> None:
    assert Envelope.model_fields["tenant"].is_required()
    assert JobContext.model_fields["tenant"].is_required()
    [tenant] = [each for each in fields(Context) if each.name == "tenant"]
    assert tenant.default is tenant.default_factory is MISSING
    context = inspect.signature(CommandBus.dispatch).parameters["context"]
    assert context.default is inspect.Parameter.empty
    assert get_type_hints(CommandBus.dispatch)["context"] is Context


def test_vis_24_no_command_says_for_itself_whose_it_is() -> None:
    """Who the tenant is comes from who asks, never from what is asked."""
    found = leaves(Command, "application")
    assert len(found) > 30
    assert [each.__name__ for each in found if "tenant" in each.model_fields] == []


def _texts() -> Iterator[tuple[str, str]]:
    """Every text at the top of a module of ``projections``, put together as it is sent."""
    for found in iter_modules(projections.__path__):
        module = import_module(f"projections.{found.name}")
        for name, value in vars(module).items():
            if isinstance(value, str) and not name.startswith("__"):
                yield f"projections.{found.name}.{name}", value


def _kept(projection: type[Projection]) -> int:
    """Its tables of the past, which are made like those of the present."""
    return projection.schema.count("_past AS")
