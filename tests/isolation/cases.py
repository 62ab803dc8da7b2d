"""What is asked of every route, with a tenant's own things, another tenant's, and nobody's.

A new route needs a line in ``CASES``, under its method and path as the OpenAPI document has them:
what to send. A path parameter or a ``$word`` in a query or a body stands for a thing of ``Things``,
so that the suite can put the id of another tenant's in its place; one that means a new kind of
thing is named in ``PARAMETERS``, and made in ``things.made``. A route without things still needs
its line: what it answers is searched for the other tenant's words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import get_introspection_query

SYNTAX: Final = "message: str -> queue: Literal['bug','billing','howto','feature']"
PREDICT: Final = [{"kind": "predict", "signature_syntax": SYNTAX}]
QUEUE: Final = {"fields": [{"name": "queue"}]}

RESOURCES: Final[Mapping[str, str]] = {
    "signature": "signatures",
    "module": "modules",
    "program": "programs",
    "dataset": "datasets",
    "tool": "tools",
    "execution": "executions",
    "optimization": "optimizations",
    "evaluation": "evaluations",
    "probe": "probes",
    "workflow": "workflows",
    "workflow_run": "workflow-runs",
    "webhook": "webhooks",
    "record": "records",
    "binding": "bindings",
    "key": "keys",
}
"""Kinds of things, and what the path of their history calls them."""

_BOUND: Final = {
    "program": "triage",
    "inputs": {"message": {"pointer": "/content"}},
    "outputs": {"queue": "queue"},
}
BINDING: Final = _BOUND | {"name": "sort", "resource": "post"}

PARAMETERS: Final[Mapping[str, str]] = {
    "signature": "signature",
    "module": "module",
    "program": "program",
    "dataset": "dataset",
    "tool": "tool",
    "execution_id": "execution",
    "optimization_id": "optimization",
    "evaluation_id": "evaluation",
    "probe_id": "probe",
    "workflow": "workflow",
    "workflow_run_id": "workflow_run",
    "webhook": "webhook",
    "record_id": "record",
    "binding": "binding",
    "key_id": "key",
    "batch_id": "batch",
    "budget_id": "budget",
    "provider": "provider",
    "route": "route",
    "position": "position",
    "size": "size",
    "old": "old",
    "new": "new",
}
"""The kind of thing that a path parameter means."""

PLAIN: Final[Mapping[str, str]] = {
    "number": "1",
    "other": "1",
    "program_version": "1",
    "row": "2-1",
    "resource": "post",
    "code": "not_found",
}
"""Path parameters that mean no tenant's thing."""


@dataclass(frozen=True)
class Ask:
    """A request: its query and its body, with ``$word`` for a thing, and what its path means."""

    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    path: Mapping[str, str] = field(default_factory=dict[str, str])


def _lists(*things: str) -> tuple[Ask, ...]:
    return (Ask({"limit": "200"}), *(Ask({f"{each}_id": f"${each}"}) for each in things))


def steps(program: str) -> list[dict[str, Any]]:
    does = {"kind": "program", "program": program, "inputs": {"message": {"field": "message"}}}
    return [{"name": "classify", "do": does}]


_MESSAGE = [{"name": "message"}]
_WHY = {"reason": "No longer needed."}
_CANDIDATES = {"candidates": [{"model": "gpt"}]}
_ROWS = [{"message": "Same in both.", "queue": "bug"}]

CASES: Final[Mapping[str, tuple[Ask, ...]]] = {
    "POST /v1/signatures/compile": (Ask(body={"syntax": SYNTAX}),),
    "POST /v1/signatures": (Ask(body={"name": "again", "syntax": SYNTAX}),),
    "GET /v1/signatures": _lists(),
    "POST /v1/signatures/register": (Ask(body={"name": "again", "syntax": SYNTAX}),),
    "GET /v1/signatures/{signature}": (Ask(),),
    "GET /v1/signatures/{signature}/json-schema": (Ask(),),
    "POST /v1/signatures/{signature}/revise": (Ask(body={"syntax": "message: str -> answer"}),),
    "POST /v1/signatures/{signature}/retire": (Ask(body=_WHY),),
    "POST /v1/signatures/diff": (
        Ask(body={"before": {"syntax": SYNTAX}, "after": {"syntax": "a -> b"}}),
    ),
    "POST /v1/modules": (
        Ask(body={"name": "again", "kind": "predict", "signature_id": "$signature"}),
        Ask(body={"name": "agent", "kind": "react", "signature": SYNTAX, "tools": ["$tool"]}),
    ),
    "GET /v1/modules": _lists("signature"),
    "GET /v1/modules/{module}": (Ask(),),
    "POST /v1/modules/{module}/configure": (Ask(body={"config": {"temperature": 0.1}}),),
    "POST /v1/modules/{module}/retire": (Ask(body=_WHY),),
    "POST /v1/programs": (
        Ask(body={"name": "again", "modules": PREDICT}),
        Ask(body={"name": "of one", "modules": [{"module_id": "$module"}]}),
    ),
    "GET /v1/programs": _lists(),
    "GET /v1/programs/{program}": (Ask(),),
    "GET /v1/programs/{program}/versions": (Ask(),),
    "GET /v1/programs/{program}/versions/{program_version}": (Ask(),),
    "POST /v1/programs/{program}/testing": (Ask(),),
    "POST /v1/programs/{program}/deploy": (
        Ask(body=_WHY),
        Ask(body={"evidence": ["$evaluation"]}, path={"program": "own"}),
    ),
    "POST /v1/programs/{program}/rename": (Ask(body={"name": "triage"}),),
    "POST /v1/programs/{program}/describe": (Ask(body={"description": "Sorts."}),),
    "POST /v1/programs/{program}/configure": (Ask(body={"config": {}}),),
    "GET /v1/programs/{program}/versions/{number}/content": (Ask(),),
    "GET /v1/programs/{program}/predictors": (Ask(),),
    "GET /v1/programs/{program}/modules": (Ask(),),
    "GET /v1/programs/{program}/versions/{number}/diff/{other}": (Ask(),),
    "GET /v1/programs/{program}/export": (Ask(),),
    "POST /v1/programs/import": (Ask({"name": "imported"}, "what is exported"),),
    "POST /v1/programs/{program}/revise": (
        Ask(body={"modules": PREDICT}),
        Ask(body={"modules": [{"module_id": "$module"}]}, path={"program": "own"}),
    ),
    "POST /v1/programs/{program}/edit": (Ask(body={"adapter": "json"}),),
    "POST /v1/programs/{program}/reorder": (Ask(body={"positions": {"predict": 0}}),),
    "POST /v1/programs/{program}/versions/{number}/restore": (Ask(body=_WHY),),
    "GET /v1/programs/{program}/versions/{program_version}/drawing": (Ask(),),
    "POST /v1/programs/{program}/execute": (Ask({"wait": "0"}, {"inputs": {"message": "Hi."}}),),
    "POST /v1/programs/{program}/batches": (Ask(body='{"message": "Hi."}\n'),),
    "POST /v1/programs/{program}/counterfactuals": (Ask(body={}),),
    "GET /v1/batches/{batch_id}/comparison": (
        Ask({"metric": "exact_match"}),
        Ask({"metric": "exact_match", "dataset": "$dataset"}, path={"batch_id": "own"}),
    ),
    "GET /v1/batches": _lists("program"),
    "GET /v1/batches/{batch_id}": (Ask(),),
    "GET /v1/batches/{batch_id}/results": (Ask(),),
    "POST /v1/batches/{batch_id}/cancel": (Ask(body=_WHY),),
    "POST /v1/batches/{batch_id}/resume": (Ask(),),
    "GET /v1/executions": _lists("program"),
    "GET /v1/executions/{execution_id}": (Ask(),),
    "GET /v1/executions/{execution_id}/trace": (Ask(),),
    "GET /v1/executions/{execution_id}/stream": (Ask(),),
    "POST /v1/executions/{execution_id}/replay": (Ask({"wait": "0"}),),
    "POST /v1/executions/replay": (Ask({"wait": "0"}, {}),),
    "POST /v1/executions/{execution_id}/cancel": (Ask(body=_WHY),),
    "POST /v1/programs/{program}/compile": (
        Ask(body={"dataset": "tickets", "metric": "exact_match"}),
        Ask(body={"dataset": "$dataset", "metric": "exact_match"}, path={"program": "own"}),
    ),
    "GET /v1/optimizations": _lists("program", "dataset"),
    "GET /v1/optimizations/{optimization_id}": (Ask(),),
    "GET /v1/optimizations/{optimization_id}/trials": (Ask(),),
    "POST /v1/optimizations/{optimization_id}/cancel": (Ask(body=_WHY),),
    "POST /v1/programs/{program}/evaluate": (
        Ask(body={"dataset": "tickets", "metric": "exact_match"}),
        Ask(body={"dataset": "$dataset", "metric": "exact_match"}, path={"program": "own"}),
    ),
    "GET /v1/evaluations": _lists("program", "dataset"),
    "GET /v1/evaluations/{evaluation_id}": (Ask(),),
    "POST /v1/evaluations/{evaluation_id}/cancel": (Ask(body=_WHY),),
    "POST /v1/probes": (
        Ask(
            {"wait": "0"},
            {
                "import_path": "acme_rag.rag:MyRAG",
                "arguments": {"k": 2},
                "signature_id": "$signature",
            },
        ),
    ),
    "GET /v1/probes": _lists(),
    "GET /v1/probes/{probe_id}": (Ask(),),
    "POST /v1/tools": (
        Ask(
            body={
                "spec": {
                    "kind": "python",
                    "name": "again",
                    "description": "Find articles.",
                    "entry_point": "shop.tools:search",
                    "arguments": [{"name": "query"}],
                }
            }
        ),
    ),
    "GET /v1/tools": _lists(),
    "GET /v1/tools/{tool}": (Ask(),),
    "POST /v1/datasets": (Ask(body={"name": "again"}),),
    "GET /v1/datasets": _lists(),
    "GET /v1/datasets/{dataset}": (Ask(),),
    "POST /v1/datasets/{dataset}/rows": (Ask({"split": "train"}, _ROWS),),
    "POST /v1/datasets/{dataset}/rows/from-executions": (
        Ask(body={"program": "triage", "split": "train"}),
        Ask(body={"program": "$program", "split": "train"}, path={"dataset": "own"}),
    ),
    "GET /v1/datasets/{dataset}/statistics": (Ask(),),
    "GET /v1/datasets/{dataset}/fit": (
        Ask({"program": "triage"}),
        Ask({"program": "$program"}, path={"dataset": "own"}),
    ),
    "GET /v1/audit": (
        Ask({"limit": "200"}),
        *(Ask({"aggregate_id": f"${each}"}) for each in ("program", "execution", "dataset")),
        Ask({"correlation_id": "$correlation"}),
    ),
    "GET /v1/audit/export": (
        Ask({"format": "jsonl"}),
        Ask({"format": "csv", "aggregate_id": "$program"}),
    ),
    "GET /v1/audit/attempts": _lists(),
    "GET /v1/events": (Ask({"limit": "200"}),),
    "GET /v1/checkpoints": (Ask(),),
    "GET /v1/checkpoints/{size}": (Ask(),),
    "GET /v1/checkpoints/{old}/consistency/{new}": (Ask(),),
    "GET /v1/events/{position}/proof": (Ask(),),
    "GET /v1/{resource}/{thing}/history": tuple(
        Ask({"mode": "snapshot"}, path={"resource": resource, "thing": f"${kind}"})
        for kind, resource in RESOURCES.items()
    ),
    "GET /v1/costs": (
        *(Ask({"by": each}) for each in ("run", "program", "model", "day")),
        Ask({"program_id": "$program"}),
        Ask({"run_id": "$execution"}),
    ),
    "GET /v1/usage": (Ask(), Ask({"program_id": "$program"})),
    "GET /v1/usage/executions": (Ask(), Ask({"program_id": "$program"})),
    "GET /v1/lm-calls": _lists("module", "program"),
    "GET /v1/models/health": (Ask(),),
    "GET /v1/metrics": (Ask(),),
    "GET /v1/optimizers": (Ask(),),
    "GET /healthz": (Ask(),),
    "GET /readyz": (Ask(),),
    "GET /problems/{code}": (Ask(),),
    "GET /v1/optimizations/{optimization_id}/proposal": (Ask(),),
    "POST /v1/optimizations/{optimization_id}/approve": (Ask(body=_WHY),),
    "POST /v1/optimizations/{optimization_id}/reject": (Ask(body=_WHY),),
    "POST /v1/workflows": (
        Ask(body={"name": "again", "inputs": _MESSAGE, "steps": steps("triage")}),
        Ask(body={"name": "other", "inputs": _MESSAGE, "steps": steps("$program")}),
    ),
    "GET /v1/workflows": _lists(),
    "GET /v1/workflows/{workflow}": (Ask(),),
    "GET /v1/workflows/{workflow}/versions/{number}": (Ask(),),
    "POST /v1/workflows/{workflow}/revise": (
        Ask(body={"inputs": _MESSAGE, "steps": steps("triage")}),
        Ask(body={"inputs": _MESSAGE, "steps": steps("$program")}, path={"workflow": "own"}),
    ),
    "POST /v1/workflows/{workflow}/start": (
        Ask({"wait": "0"}, {"inputs": {"message": "Same in both."}}),
    ),
    "GET /v1/workflow-runs": _lists("workflow"),
    "GET /v1/workflow-runs/{workflow_run_id}": (Ask(),),
    "POST /v1/workflow-runs/{workflow_run_id}/cancel": (Ask(body=_WHY),),
    "POST /v1/workflow-runs/{workflow_run_id}/undo": (Ask(),),
    "POST /v1/webhooks": (Ask(body={"name": "again", "url": "https://hooks.example.com/in"}),),
    "GET /v1/webhooks": _lists(),
    "GET /v1/webhooks/{webhook}": (Ask(),),
    "POST /v1/webhooks/{webhook}/pause": (Ask(body=_WHY),),
    "POST /v1/webhooks/{webhook}/resume": (Ask(),),
    "POST /v1/webhooks/{webhook}/rotate": (Ask(body={}),),
    "GET /v1/datasets/{dataset}/rows": (Ask({"limit": "200"}),),
    "GET /v1/datasets/{dataset}/rows/{row}": (Ask(),),
    "PUT /v1/datasets/{dataset}/rows/{row}": (Ask(body={"message": "Another.", "queue": "bug"}),),
    "DELETE /v1/datasets/{dataset}/rows/{row}": (Ask(),),
    "GET /v1/datasets/{dataset}/duplicates": (Ask(),),
    "POST /v1/records/{resource}": (Ask(body={"data": {"content": "Same in both."}}),),
    "GET /v1/records/{resource}": (Ask({"limit": "200"}),),
    "GET /v1/records/{resource}/{record_id}": (Ask(),),
    "PATCH /v1/records/{resource}/{record_id}": (Ask(body={"title": "Same."}),),
    "POST /v1/bindings": (
        Ask(body=BINDING | {"name": "again"}),
        Ask(body=BINDING | {"name": "other", "program": "$program"}),
    ),
    "GET /v1/bindings": _lists("program"),
    "GET /v1/bindings/{binding}": (Ask(),),
    "GET /v1/bindings/{binding}/calls": (Ask(),),
    "POST /v1/records/{resource}/{record_id}/calls/{execution_id}/repeat": (
        Ask(path={"execution_id": "$call"}),
    ),
    "POST /v1/bindings/{binding}/change": (
        Ask(body=_BOUND),
        Ask(body=_BOUND | {"program": "$program"}, path={"binding": "own"}),
    ),
    "POST /v1/bindings/{binding}/pause": (Ask(body=_WHY),),
    "POST /v1/bindings/{binding}/resume": (Ask(),),
    "POST /v1/keys": (Ask(body={"name": "again", "roles": ["viewer"]}),),
    "GET /v1/keys": _lists(),
    "GET /v1/keys/{key_id}": (Ask(),),
    "POST /v1/providers": (Ask(body={"name": "again", "kind": "scripted"}),),
    "DELETE /v1/cache": (Ask({"program": "$program"}), Ask({"cache": "answers"})),
    "GET /v1/providers": _lists(),
    "GET /v1/providers/{provider}": (Ask(),),
    "POST /v1/routes": (Ask(body={"name": "again", "strategy": "primary", **_CANDIDATES}),),
    "GET /v1/routes": _lists(),
    "GET /v1/routes/{route}": (Ask(),),
    "POST /v1/routes/{route}/change": (Ask(body={"strategy": "fallback", **_CANDIDATES}),),
    "POST /v1/providers/{provider}/generate": (Ask({"wait": "0"}, {"prompt": "Hi."}),),
    "POST /v1/providers/{provider}/generate-batch": (Ask(body={"prompts": ["Hi."]}),),
    "POST /v1/providers/{provider}/count-tokens": (Ask(body={"text": "Hi."}),),
    "POST /v1/providers/{provider}/test": (Ask(),),
    "POST /v1/providers/{provider}/change": (Ask(body={"models": [{"name": "gpt-4o"}]}),),
    "POST /v1/providers/{provider}/rotate": (Ask(body={"secret": "env:OPENAI_API_KEY"}),),
    "POST /v1/budgets": (Ask(body={"hold_usd": "0.01"}),),
    "GET /v1/budgets": (Ask(),),
    "GET /v1/budgets/{budget_id}": (Ask(),),
    "POST /v1/budgets/{budget_id}/grant": (Ask(body={"usd": "1"}),),
    "POST /v1/budgets/{budget_id}/revise": (Ask(body={"hold_usd": "0.01"}),),
    "POST /v1/prices": (Ask(body={"model": "m", "rates": {"input_usd": "1", "output_usd": "1"}}),),
    "POST /v1/prices/withdraw": (Ask(body={"model": "m"}),),
    "GET /v1/prices": _lists(),
    "POST /graphql": (
        Ask(body={"query": get_introspection_query()}),
        Ask(body={"query": "{ listPrograms(first: 50) { items { name } next } }"}),
        Ask(
            body={
                "query": "query($id: ID!) { getTriageExecution(id: $id) { outputs { queue } } }",
                "variables": {"id": "$execution"},
            }
        ),
    ),
    # What takes things out of service comes last.
    "DELETE /v1/records/{resource}/{record_id}": (Ask(),),
    "POST /v1/bindings/{binding}/remove": (Ask(body=_WHY),),
    "POST /v1/webhooks/{webhook}/remove": (Ask(body=_WHY),),
    "POST /v1/workflows/{workflow}/retire": (Ask(body=_WHY),),
    "POST /v1/keys/{key_id}/revoke": (Ask(body=_WHY),),
    "POST /v1/providers/{provider}/default": (Ask(),),
    "DELETE /v1/providers/default": (Ask(),),
    "POST /v1/providers/{provider}/disable": (Ask(body=_WHY),),
    "POST /v1/providers/{provider}/enable": (Ask(),),
    "POST /v1/routes/{route}/disable": (Ask(body=_WHY),),
    "POST /v1/routes/{route}/enable": (Ask(),),
    "POST /v1/budgets/{budget_id}/close": (Ask(body=_WHY),),
    "POST /v1/programs/{program}/archive": (Ask(body=_WHY),),
    "POST /v1/programs/{program}/restore": (Ask(),),
    "POST /v1/tools/{tool}/retire": (Ask(body=_WHY),),
    "POST /v1/programs/{program}/retire": (Ask(body=_WHY),),
}
"""What to ask of each route."""
