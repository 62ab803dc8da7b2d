"""An API that is told to stop ends its streams well, and at once."""

import pytest

from tests.support.postgres import copy_of
from tests.support.scripted_lm import ScriptedLmServer
from tests.support.service import Service
from tests.support.sse import sent, stream

pytestmark = pytest.mark.journey


def test_a_stop_ends_every_stream_well_and_another_api_goes_on(cluster: str, template: str) -> None:
    with (
        copy_of(template, cluster) as database,
        ScriptedLmServer() as lm,
        Service(database, lm, workers=0) as service,
    ):
        http = service.http()
        first = http.post("/v1/datasets", {"name": "first"})
        with stream(service.url, http.tenant) as one, stream(service.url, http.tenant) as other:
            streams = [sent(one), sent(other)]
            assert {next(each).id for each in streams} == {str(first["position"])}
            service.processes["api"].terminate()
            # A connection that was cut instead of ended would raise.
            assert [list(each) for each in streams] == [[], []]
        service.processes["api"].join(15)
        service.restart("api")
        service.wait_until_ready()
        second = http.post("/v1/datasets", {"name": "second"})
        with stream(service.url, http.tenant, last_event_id=first["position"]) as again:
            assert next(sent(again)).id == str(second["position"])
