"""A server as seen by one actor: its resources, and ``get``, ``post`` and ``send`` beneath them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from threading import Lock
from types import TracebackType
from typing import Final, Literal, Self
from uuid import uuid4

from infrastructure.client.batches import Batches
from infrastructure.client.budgets import Budgets
from infrastructure.client.caches import Caches
from infrastructure.client.datasets import Datasets
from infrastructure.client.errors import StratalUnreachable
from infrastructure.client.keys import Keys
from infrastructure.client.prices import Prices
from infrastructure.client.probes import Probes
from infrastructure.client.providers import Providers
from infrastructure.client.records import Bindings, Records
from infrastructure.client.resources import (
    Checkpoints,
    JsonObject,
    Modules,
    Programs,
    Tools,
)
from infrastructure.client.routes import Routes
from infrastructure.client.runs import Executions, Optimizations, Runs
from infrastructure.client.signatures import Signatures
from infrastructure.client.streams import audit_lines, facts, moments
from infrastructure.client.transport import Transport
from infrastructure.client.webhooks import Webhooks
from infrastructure.client.workflows import WorkflowRuns, Workflows

_POSITION: Final = "x-stratal-position"
_READ_LIMIT_S: Final = 330.0
"""Beyond the longest wait that the API grants."""


class Stratal:
    """A server at *url*, seen by *actor* of *tenant*, or by whoever *key* was issued to.

    Every write carries an Idempotency-Key and is tried again safely; every later read of this
    client sees it. Refusals are raised as ``StratalProblem``. Threads may share it.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        tenant: str = "default",
        actor: str = "anonymous",
        *,
        key: str | None = None,
        timeout_s: float = _READ_LIMIT_S,
    ) -> None:
        headers = {"X-Stratal-Tenant": tenant, "X-Stratal-Actor": actor}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        self._transport = Transport(url, headers, timeout_s=timeout_s)
        self._seen, self._lock = 0, Lock()
        self.signatures = Signatures(self)
        self.modules = Modules(self)
        self.tools = Tools(self)
        self.budgets = Budgets(self)
        self.providers = Providers(self)
        self.routes = Routes(self)
        self.prices = Prices(self)
        self.caches = Caches(self)
        self.programs = Programs(self)
        self.executions = Executions(self)
        self.batches = Batches(self)
        self.probes = Probes(self)
        self.keys = Keys(self)
        self.workflows = Workflows(self)
        self.workflow_runs = WorkflowRuns(self)
        self.webhooks = Webhooks(self)
        self.datasets = Datasets(self)
        self.records = Records(self)
        self.bindings = Bindings(self)
        self.checkpoints = Checkpoints(self)
        self.optimizations = Optimizations(self)
        self.evaluations = Runs(self, "/v1/evaluations")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._transport.close()

    def get(self, path: str, **query: object) -> JsonObject:
        """Read *path*; what is ``None`` in the query is left out."""
        _, content = self._transport.request("GET", path, query=self._fresh(query), headers={})
        return content  # type: ignore[no-any-return]  # the reply is data

    def text(self, path: str, **query: object) -> str:
        """Read *path* as it is, such as a picture."""
        try:
            with self._transport.opened(path, query=self._fresh(query), headers={}) as reply:
                return reply.read().decode()
        except (OSError, HTTPException) as error:
            why = str(error) or type(error).__name__
            raise StratalUnreachable(self._transport.url, why) from None

    def post(
        self,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, object] | None = None,
        expected_version: int | None = None,
        key: str | None = None,
    ) -> JsonObject:
        """Write *body* to *path*.

        Args:
            path: Where to.
            body: A JSON object.
            params: The query.
            expected_version: The version you decided on; if it changed since, it is refused.
            key: The Idempotency-Key, to repeat a write in another process; else one is made.
        """
        raw = None if body is None else json.dumps(body, allow_nan=False).encode()
        return self._write(path, raw, "application/json", params or {}, expected_version, key)

    def put(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        params: Mapping[str, object] | None = None,
        expected_version: int | None = None,
    ) -> JsonObject:
        """Put *body* in the place of what is at *path*."""
        raw = json.dumps(body, allow_nan=False).encode()
        query = params or {}
        return self._write(
            path, raw, "application/json", query, expected_version, None, method="PUT"
        )

    def patch(
        self, path: str, body: Mapping[str, object], *, expected_version: int | None = None
    ) -> JsonObject:
        """Change what is at *path* by a JSON merge patch: null takes a member away."""
        raw, kind = json.dumps(body, allow_nan=False).encode(), "application/merge-patch+json"
        return self._write(path, raw, kind, {}, expected_version, None, method="PATCH")

    def delete(
        self,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        expected_version: int | None = None,
    ) -> JsonObject:
        """Remove what is at *path*."""
        query = params or {}
        return self._write(path, None, "", query, expected_version, None, method="DELETE")

    def send(
        self,
        path: str,
        content: bytes,
        *,
        content_type: str,
        key: str | None = None,
        **query: object,
    ) -> JsonObject:
        """Write *content* as it is to *path*."""
        return self._write(path, content, content_type, query, None, key)

    def pages(self, path: str, **query: object) -> Iterator[JsonObject]:
        """Every item of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def streamed(self, path: str, after: int) -> Iterator[JsonObject]:
        """What is told at *path* later than *after*, up to the end."""
        return moments(self._transport, path, after)

    def audit(self, **filters: object) -> Iterator[JsonObject]:
        """The audit trail, newest first; ``topic`` may be several."""
        return self.pages("/v1/audit", **filters)

    def export_audit(self, after: int = 0, **filters: object) -> Iterator[JsonObject]:
        """The whole audit trail later than position *after*, oldest first."""
        lines = audit_lines(self._transport, after, "jsonl", self._fresh(filters))
        return (json.loads(line) for line in lines)

    def export_audit_lines(
        self, form: Literal["jsonl", "csv"], after: int = 0, **filters: object
    ) -> Iterator[bytes]:
        """The same as lines of a file; CSV begins with a heading."""
        return audit_lines(self._transport, after, form, self._fresh(filters))

    def events(self, after: int = 0, topics: Sequence[str] = ()) -> Iterator[JsonObject]:
        """Every fact of the tenant later than position *after*, up to the present.

        *topics* narrows them: ``program.deployed``, or ``program.*`` for all of a kind.
        """
        head = after + 1
        while after < head:
            page = self.get("/v1/events", after=after, topic=tuple(topics))
            yield from page["items"]
            after, head = page["next"], page["head"]

    def follow(self, after: int = 0, topics: Sequence[str] = ()) -> Iterator[JsonObject]:
        """The same, and then every fact as it happens, without end; broken connections mend.

        Raises:
            StratalUnreachable: Nobody answered for about a minute.
        """
        return facts(self._transport, after, tuple(topics))

    def inspect_history(self, n: int = 10, **filters: object) -> Sequence[JsonObject]:
        """The last *n* calls of models, up to 200, newest first, each with prompt and answer."""
        items: Sequence[JsonObject] = self.get("/v1/lm-calls", limit=n, **filters)["items"]
        return items

    def model_health(self, *, minutes: int | None = None) -> Sequence[JsonObject]:
        """Which models answer, how often they do not, and why, by the newest calls."""
        items: Sequence[JsonObject] = self.get("/v1/models/health", minutes=minutes)["items"]
        return items

    def usage(self, **filters: object) -> JsonObject:
        """What models were used for: a page of sums, and their total."""
        return self.get("/v1/usage", **filters)

    def costs(self, by: str = "model", **filters: object) -> JsonObject:
        """What calls cost *by* run, program, model or day, as billed and by the price book."""
        return self.get("/v1/costs", by=by, **filters)

    def execution_periods(self, by: str = "day", **filters: object) -> JsonObject:
        """How executions went *by* hour or day, newest first: success, durations, tokens, cost."""
        return self.get("/v1/usage/executions", by=by, **filters)

    def graphql(self, query: str, **variables: object) -> JsonObject:
        """Ask in GraphQL, by the schema of the tenant; what went wrong is in ``errors``."""
        body = {"query": query, "variables": variables}
        return self.post("/graphql", body, params=self._fresh({}))

    def health(self) -> JsonObject:
        """Whether the process lives."""
        return self.get("/healthz")

    def readiness(self) -> JsonObject:
        """Whether the service can serve, with the lag of every read model.

        Raises:
            StratalProblem: It cannot.
        """
        return self.get("/readyz")

    def _fresh(self, query: Mapping[str, object]) -> Mapping[str, object]:
        """*query* for what is no staler than this client's last write."""
        return {"at_least": self._seen or None, **query}

    def _write(
        self,
        path: str,
        raw: bytes | None,
        kind: str,
        query: Mapping[str, object],
        expected_version: int | None,
        key: str | None,
        *,
        method: str = "POST",
    ) -> JsonObject:
        headers = {"Idempotency-Key": key or uuid4().hex}
        if raw is not None:
            headers["Content-Type"] = kind
        if expected_version is not None:
            headers["If-Match"] = f'"{expected_version}"'
        told, content = self._transport.request(
            method, path, query=query, body=raw, headers=headers
        )
        self._saw(told)
        return content  # type: ignore[no-any-return]  # the reply is data

    def _saw(self, headers: Mapping[str, str]) -> None:
        position = next((int(v) for name, v in headers.items() if name.lower() == _POSITION), 0)
        with self._lock:
            self._seen = max(self._seen, position)
