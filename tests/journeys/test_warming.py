"""A version that goes live is built by the worker at once, in the trace of its deployment."""

import pytest

from tests.support.otlp import Collector
from tests.support.service import Service, until

TRACE_ID = "1af7651916cd43dd8448eb211c80319d"
pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]


@pytest.mark.feature("PRG-17")
def test_prg_17_a_worker_builds_what_went_live_before_it_is_asked(
    service: Service, collector: Collector
) -> None:
    http = service.http("warming")
    module = {"kind": "predict", "signature_syntax": "question -> answer"}
    http.post("/v1/programs", {"name": "warm", "modules": [module]})
    http.post(
        "/v1/programs/warm/deploy", {}, headers={"traceparent": f"00-{TRACE_ID}-{'1' * 16}-01"}
    )
    until(
        lambda: {(span.service, span.name) for span in collector.of_trace(TRACE_ID)},
        lambda seen: ("stratal-worker", "command WarmProgram") in seen,
        timeout_s=30,
    )
