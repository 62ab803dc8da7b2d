"""Webhooks over HTTP: a secret is told once, and the address is one that is allowed."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient

from tests.support.api import ApiWorld

URL = "https://hooks.example.com/in"


@pytest.fixture
def crm(api: TestClient) -> dict[str, Any]:
    """A webhook called crm, as the reply to its subscription has it."""
    body = {"name": "crm", "url": URL, "topics": ["program.*"], "id": str(uuid4())}
    reply = api.post("/v1/webhooks", json=body)
    assert reply.status_code == 201, reply.text
    again = api.post("/v1/webhooks", json=body)
    assert again.json() == reply.json(), "a repeat gets the first one's answer"
    made: dict[str, Any] = reply.json()
    return made


def test_the_secret_is_told_once(api: TestClient, crm: dict[str, Any]) -> None:
    assert crm["secret"].startswith("whsec_")
    told = [
        api.get("/v1/webhooks/crm"),
        api.get("/v1/webhooks"),
        api.get("/v1/events"),
        api.get("/v1/audit"),
        api.get("/v1/webhooks/crm/history", params={"mode": "snapshot"}),
    ]
    assert all(reply.is_success for reply in told)
    assert all(crm["secret"] not in reply.text for reply in told)
    rotated = api.post("/v1/webhooks/crm/rotate", json={})
    assert rotated.json()["secret"] not in (None, crm["secret"])
    named = api.post("/v1/webhooks/crm/rotate", json={"secret": "crm"})
    assert named.json()["secret"] is None


def test_a_webhook_shows_how_far_its_deliveries_got(
    api: TestClient, crm: dict[str, Any], world: ApiWorld
) -> None:
    assert api.get("/v1/webhooks/crm").json()["delivery"] is None
    assert world.models is not None
    tenant = api.headers["X-Stratal-Tenant"]
    with psycopg.connect(world.models.tables.connection.info.dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO stratal.webhook_cursors (tenant, webhook_id, position, delivered)"
            " VALUES (%s, %s, 7, 3)",
            [tenant, crm["id"]],
        )
    found = api.get("/v1/webhooks/crm").json()["delivery"]
    assert (found["position"], found["delivered"], found["next_at"]) == (7, 3, None)


def test_it_is_paused_resumed_and_removed(api: TestClient, crm: dict[str, Any]) -> None:
    for action, status in (("pause", "paused"), ("resume", "active"), ("remove", "removed")):
        body = None if action == "resume" else {"reason": "It moves."}
        assert api.post(f"/v1/webhooks/crm/{action}", json=body).is_success
        assert api.get("/v1/webhooks/crm").json()["status"] == status
    assert api.get("/v1/webhooks").json()["items"] == []
    [row] = api.get("/v1/webhooks", params={"status": "removed"}).json()["items"]
    assert row["because"] == "It moves."
    refused = api.post("/v1/webhooks/crm/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook.action_forbidden")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"url": "http://127.0.0.1/in"}, 403, "webhook.not_allowed"),
        ({"url": "https://169.254.169.254/latest"}, 403, "webhook.not_allowed"),
        ({"url": "ftp://hooks.example.com"}, 422, "webhook.invalid"),
        ({"topics": ["program.exploded"]}, 422, "topic.unknown"),
        ({"topics": ["*"]}, 422, "request.invalid"),
        ({"secret": "unknown"}, 422, "webhook.secret_unknown"),
    ],
)
def test_what_cannot_be_delivered_is_refused(
    api: TestClient, change: dict[str, Any], status: int, code: str
) -> None:
    reply = api.post("/v1/webhooks", json={"name": "crm", "url": URL, **change})
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert api.get(f"/v1/webhooks/{uuid4()}").status_code == 404
