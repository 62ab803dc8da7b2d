"""What a tenant of the suite has: one of each kind, told in words that nobody else may see."""

import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from fastapi.testclient import TestClient

from tests.isolation.cases import BINDING, PREDICT, RESOURCES, SYNTAX, steps
from tests.support.walled import Walled

Things = dict[str, str]
"""The id of one of each kind; what is counted is a number."""

KINDS: Final = (*RESOURCES, "batch", "budget", "provider", "route", "correlation", "call")

SIGNED: Final = ("size", "old", "new")
"""What is the same for every tenant: the sizes of checkpoints."""


@dataclass(frozen=True)
class Tenant:
    """A tenant, the API as it sees it, what it has, and a word that is in all that it wrote."""

    name: str
    api: TestClient
    things: Things
    secret: str


def made(walled: Walled, name: str) -> Tenant:
    """Make one of each kind as tenant *name*: of the same names and contents as every other's.

    Beside that its secret is in whatever takes free text.
    """
    secret = f"canary-{name}-{uuid4().hex[:8]}"
    api = walled.client(name, actor=f"ann-{secret}")
    story = _Story(api)
    things = {
        "signature": story.post("/v1/signatures", name="route", syntax=SYNTAX, instructions=secret),
        "tool": story.post("/v1/tools", spec=_tool(secret)),
        "dataset": story.post("/v1/datasets", name="tickets", description=secret),
        "program": story.post("/v1/programs", name="triage", modules=PREDICT, description=secret),
    }
    things["module"] = story.post(
        "/v1/modules", name="router", kind="predict", signature_id=things["signature"]
    )
    same = [{"message": "Same in both.", "queue": "bug"}, {"message": "Too.", "queue": "howto"}]
    for split in ("train", "heldout"):
        rows = [*same, {"message": f"{secret} {split}", "queue": "billing"}]
        assert api.post(f"/v1/datasets/tickets/rows?split={split}", json=rows).status_code == 201
    things |= _connected(story, secret)
    story.post(f"/v1/budgets/{things['budget']}/grant", usd="100", reason=secret)
    rates = {"input_usd": "1", "output_usd": "2"}
    story.post("/v1/prices", model="of/both", rates=rates, reason=secret)
    walled.settle()
    runs = {"dataset": "tickets", "metric": "exact_match"}
    things["execution"] = story.post(
        "/v1/programs/triage/execute?wait=0", inputs={"message": f"Same in both. {secret}"}
    )
    things["batch"] = story.send(
        "/v1/programs/triage/batches", f'{{"message": "Same in both. {secret}"}}\n'
    )
    things["optimization"] = story.post("/v1/programs/triage/compile", adopt="approval", **runs)
    things["evaluation"] = story.post("/v1/programs/triage/evaluate", **runs)
    things["probe"] = story.post(
        "/v1/probes?wait=0",
        import_path="acme_rag.rag:MyRAG",
        arguments={"note": secret},
        signature_syntax="question -> answer",
    )
    things["workflow_run"] = story.post(
        "/v1/workflows/orders/start?wait=0", inputs={"message": secret}
    )
    things["record"] = story.post("/v1/records/post", data={"content": secret})
    walled.settle()
    (call,) = api.get(f"/v1/records/post/{things['record']}").json()["calls"]
    things["call"] = call["execution_id"]
    story.post("/v1/programs/triage/deploy", reason=secret)
    assert api.post("/v1/programs", json={"name": secret, "modules": []}).status_code >= 400
    walled.settle()
    mine = api.get("/v1/events", params={"limit": 200}).json()["items"]
    return Tenant(
        name,
        api,
        things
        | {"position": str(mine[0]["position"]), "correlation": mine[0]["correlation_id"]}
        | _checkpoints(api),
        secret,
    )


def _connected(story: "_Story", secret: str) -> Things:
    """What goes on by itself, and who may look."""
    inputs = [{"name": "message", "description": secret}]
    gpt = story.post("/v1/providers", name="gpt", kind="openai", secret="env:OPENAI_API_KEY")
    route = {"strategy": "primary", "candidates": [{"model": "gpt"}]}
    return {
        "workflow": story.post(
            "/v1/workflows", name="orders", inputs=inputs, steps=steps("triage")
        ),
        "webhook": story.post(
            "/v1/webhooks", name="crm", url=f"https://hooks.example.com/{secret}"
        ),
        "budget": story.post("/v1/budgets", hold_usd="0.01"),
        "provider": gpt,
        "route": story.post("/v1/routes", name="by size", **route),
        "binding": story.post("/v1/bindings", **BINDING),
        "key": story.post("/v1/keys", name=f"ci-{secret}", roles=["viewer"]),
    }


def nobodys(like: Things) -> Things:
    """Ids of the same form that nothing has."""
    signed = {each: like[each] for each in SIGNED}
    return {kind: str(uuid4()) for kind in KINDS} | {"position": "999999"} | signed


def without_ids(text: str) -> str:
    """*text* with all ids and the positions that were asked for made equal."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>", text)
    return re.sub(r"(at the position|position) \d+", "position <n>", text)


def _checkpoints(api: TestClient) -> Things:
    sizes = [str(each["size"]) for each in api.get("/v1/checkpoints").json()["items"]]
    return {"size": sizes[0], "old": sizes[-1], "new": sizes[0]}


class _Story:
    def __init__(self, api: TestClient) -> None:
        self._api = api

    def send(self, path: str, lines: str) -> str:
        headers = {"Content-Type": "application/x-ndjson"}
        reply = self._api.post(path, content=lines, headers=headers)
        assert reply.status_code < 300, reply.text
        return str(reply.json()["id"])

    def post(self, path: str, **body: Any) -> str:
        reply = self._api.post(path, json=body)
        assert reply.status_code < 300, reply.text
        told = reply.json()
        return str(
            next(
                told[key]
                for key in ("id", "execution_id", "probe_id", "workflow_run_id")
                if key in told
            )
        )


def _tool(secret: str) -> dict[str, Any]:
    return {
        "kind": "python",
        "name": "search",
        "description": secret,
        "entry_point": "shop.tools:search",
        "arguments": [{"name": "query"}],
    }
