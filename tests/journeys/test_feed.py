"""A stranger keeps its own list of programs by the public feed alone, over real processes."""

from typing import Any

import pytest

from tests.support.program_list import ProgramList
from tests.support.service import Http, Service
from tests.support.sse import sent, stream
from tests.support.triage import SYNTAX, Triage

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("service")]


def a_program(http: Http, name: str, **wish: Any) -> str:
    """The path of a new program."""
    body = {"name": name, "modules": [{"kind": "predict", "signature_syntax": SYNTAX}], **wish}
    return f"/v1/programs/{http.post('/v1/programs', body)['id']}"


def the_first_half(http: Http) -> None:
    """Programs in every stage, one of them bettered and deployed on evidence."""
    triage = Triage(http).create()
    http.post(f"{triage.program}/testing")
    triage.optimize("labeled_fewshot")
    judged = triage.evaluate(program_version=2)
    wish = {"program_version": 2, "reason": "Better.", "evidence": [judged["evaluation_id"]]}
    http.post(f"{triage.program}/deploy", wish)
    a_program(http, "draft", description="Not yet.", config={"team": "mail"})
    http.post(f"{a_program(http, 'bare')}/deploy", {"reason": "Why not."})


def the_second_half(http: Http) -> None:
    """What happens while the reader is away."""
    http.post(f"{a_program(http, 'gone')}/retire", {"reason": "A mistake."})
    http.post("/v1/programs/bare/retire", {"reason": "Nobody uses it."})
    a_program(http, "newest", default_optimizer="labeled_fewshot")


def listed(http: Http, **query: Any) -> list[Any]:
    """The list as the API has it, once its read models have seen all there is.

    What programs cost is told beside them, and not asked for here.
    """
    head = http.get("/v1/events")["head"]
    rows = http.pages("/v1/programs", at_least=head, **query)
    assert {row.pop("monthly_cost") for row in rows} == {None}
    return rows


@pytest.mark.feature("VIS-16")
def test_vis_16_a_consumer_rebuilds_the_program_list_from_the_feed_alone(
    service: Service, http: Http
) -> None:
    another = service.http()
    by_pages, streamed = ProgramList(), ProgramList()
    the_first_half(http)
    a_program(another, "not theirs")
    with stream(service.url, http.tenant, topic="program.*") as reply:
        for each in sent(reply):
            streamed.take(each.data)
            if len(streamed.rows()) == 2:
                break  # the connection is lost in the middle of it
    the_second_half(http)
    facts = [each for each in http.events() if each["topic"].startswith("program.")]
    with stream(
        service.url, http.tenant, topic="program.*", last_event_id=streamed.position
    ) as reply:
        live = a_program(http, "live")  # made while the stream is open
        for each in sent(reply):
            streamed.take(each.data)
            if live.endswith(each.data["aggregate_id"]):
                break
    page = {"next": 0, "head": 1}
    while page["next"] < page["head"]:
        query = {"after": page["next"], "topic": "program.*", "limit": 3}
        page = http.get("/v1/events", **query)
        for fact in page["items"]:
            by_pages.take(fact)
    assert by_pages.position > facts[-1]["position"]
    for found in (by_pages, streamed):
        assert {row["name"] for row in found.rows()} == {"triage", "draft", "newest", "live"}
        assert {row["name"] for row in found.rows(retired=True)} == {"bare", "gone"}
        assert found.rows() == listed(http)
        assert found.rows(retired=True) == listed(http, stage="retired")
