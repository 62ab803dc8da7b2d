"""One service for all journeys: each has a tenant of its own, so none sees another's things."""

import os
from collections.abc import Iterator

import pytest

from tests.support.otlp import Collector
from tests.support.postgres import copy_of
from tests.support.probes import BRIEF, PLUGIN
from tests.support.service import Http, Service, pytest_runtest_makereport
from tests.support.triage import Triage, TriageLm

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the service sends its spans."""
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="session")
def service(cluster: str, template: str, collector: Collector) -> Iterator[Service]:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    environment |= {"OTEL_METRIC_EXPORT_INTERVAL": "5000"}
    environment |= {
        "STRATAL_MODULES": "acme_rag,acme_brief",
        "PYTHONPATH": os.pathsep.join([str(PLUGIN), str(BRIEF)]),
    }
    environment |= {"STRATAL_TOOLS": "textwrap:shorten"}
    with (
        copy_of(template, cluster) as database,
        TriageLm() as lm,
        Service(database, lm, environment=environment) as service,
    ):
        yield service


@pytest.fixture
def http(service: Service) -> Http:
    """The API as a tenant that is the test's own."""
    return service.http()


@pytest.fixture
def triage(http: Http) -> Triage:
    """A program and its rows."""
    return Triage(http).create()
