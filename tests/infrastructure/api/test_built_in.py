"""What stands before and beside every command: who may, how often, at what cost, on record."""

from decimal import Decimal
from uuid import uuid4

import pytest

from application.auditing import Attempt
from domain.access.values import Role
from infrastructure.api.rates import Rates
from tests.support.api import ApiWorld, a_program
from tests.support.keyed import asking, key_of

pytestmark = pytest.mark.postgres

RUN = {"inputs": {"message": "Help!"}}


@pytest.fixture
def tried(world: ApiWorld) -> list[Attempt]:
    world.attempts.noted.clear()
    return world.attempts.noted


@pytest.mark.feature("VIS-04")
def test_vis_04_a_forbidden_command_checks_nothing_calls_no_model_and_appends_nothing(
    world: ApiWorld, tried: list[Attempt]
) -> None:
    tenant = f"t-{uuid4().hex}"
    with asking(world, key_of(world, Role.ML_ENGINEER, tenant=tenant)) as engineer:
        program = a_program(engineer)
    key = key_of(world, Role.VIEWER, tenant=tenant, name="vic")
    tried.clear()
    before = (len(world.log.recorded), len(world.payloads), len(world.runner.ran))
    with asking(world, key) as viewer:
        refused = viewer.post(f"/v1/programs/{program}/execute", json=RUN)
        stale = {"If-Match": '"99"', "Idempotency-Key": "k"}
        late = viewer.post("/v1/programs/triage/deploy", json={"reason": "Now."}, headers=stale)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission.missing")
    assert refused.json()["detail"] == (
        "RequestExecution needs the permission program.execute, and you are viewer."
        " An admin can issue you a key with the role ml_user or admin."
    )
    assert late.json()["code"] == "permission.missing"
    assert (len(world.log.recorded), len(world.payloads), len(world.runner.ran)) == before
    assert [(each.tenant, each.actor, each.command, each.code, each.status) for each in tried] == [
        (tenant, "vic", "RequestExecution", "permission.missing", 403),
        (tenant, "vic", "DeployProgram", "permission.missing", 403),
    ]


@pytest.mark.feature("VIS-18")
def test_vis_18_rate_limiting_a_tenant_that_asks_too_often_waits_and_others_do_not(
    world: ApiWorld,
) -> None:
    busy, other = f"t-{uuid4().hex}", f"t-{uuid4().hex}"
    with world.client(busy, rates=Rates(tenant_per_s=1.5)) as api:
        assert [api.get("/v1/programs").status_code for _ in range(4)] == [200, 200, 200, 429]
        assert api.get("/v1/programs", headers={"X-Stratal-Tenant": other}).status_code == 200


@pytest.mark.feature("VIS-18")
def test_vis_18_cost_tracking_what_a_tenant_spent_is_the_sum_of_its_runs(world: ApiWorld) -> None:
    with world.client(f"t-{uuid4().hex}") as api:
        program = a_program(api)
        runs = [api.post(f"/v1/programs/{program}/execute", json=RUN).json() for _ in range(3)]
        total = api.get("/v1/usage").json()["total"]
    spent = [Decimal(run["token_usage"]["cost_usd"]) for run in runs]
    assert all(spent)
    assert Decimal(total["cost_usd"]) == sum(spent)
    assert total["calls"] == sum(run["token_usage"]["calls"] for run in runs)


@pytest.mark.feature("VIS-18")
def test_vis_18_authorization_each_does_what_their_key_allows_and_no_more(world: ApiWorld) -> None:
    tenant = f"t-{uuid4().hex}"
    with asking(world, key_of(world, Role.ML_ENGINEER, tenant=tenant)) as engineer:
        program = a_program(engineer)
        assert engineer.post(f"/v1/programs/{program}/execute", json=RUN).status_code == 403
    with asking(world, key_of(world, Role.ML_USER, tenant=tenant)) as user:
        assert user.post(f"/v1/programs/{program}/execute", json=RUN).status_code == 200
        assert user.post(f"/v1/programs/{program}/retire", json={}).status_code == 403
        assert user.get("/v1/audit").status_code == 403
    with asking(world, key_of(world, Role.AUDITOR, tenant=tenant)) as auditor:
        assert auditor.get("/v1/audit").status_code == 200
        assert auditor.post(f"/v1/programs/{program}/execute", json=RUN).status_code == 403


@pytest.mark.feature("VIS-18")
def test_vis_18_audit_trail_who_did_what_is_on_record_and_who_issued_their_key(
    world: ApiWorld,
) -> None:
    tenant = f"t-{uuid4().hex}"
    with asking(world, key_of(world, Role.ADMIN, tenant=tenant, name="ann")) as api:
        issued = api.post("/v1/keys", json={"name": "bob", "roles": ["ml_engineer"]}).json()
        made = api.post(
            "/v1/signatures",
            json={"name": "route", "syntax": "message -> queue"},
            headers={"Authorization": f"Bearer {issued['key']}"},
        )
        assert made.status_code == 201, made.text
        api.post(f"/v1/keys/{issued['id']}/revoke", json={"reason": "He left."})
        told = [(row["actor"], row["sentence"]) for row in api.get("/v1/audit").json()["items"]]
    assert [actor for actor, _ in told] == ["ann", "bob", "ann", "root"]
    parts = ("revoked key", "bob defined signature", "to bob as ml_engineer until", "as admin")
    assert [part for (_, told), part in zip(told, parts, strict=True) if part not in told] == []
    assert "because “He left.”" in told[0][1]
