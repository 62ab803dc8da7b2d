"""What a client can do with each kind of thing: the routes of the API by what they are for."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

JsonObject = dict[str, Any]
"""A reply, as the OpenAPI document describes it."""

AsOf = int | str | datetime
"""A position of the log, or a time with its zone: what was then is asked for."""


class Api(Protocol):
    """How resources reach the server."""

    def get(self, path: str, **query: object) -> JsonObject: ...
    def post(
        self,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, object] | None = None,
        expected_version: int | None = None,
        key: str | None = None,
    ) -> JsonObject: ...
    def send(
        self,
        path: str,
        content: bytes,
        *,
        content_type: str,
        key: str | None = None,
        **query: object,
    ) -> JsonObject: ...
    def put(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        params: Mapping[str, object] | None = None,
        expected_version: int | None = None,
    ) -> JsonObject: ...
    def patch(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        expected_version: int | None = None,
    ) -> JsonObject: ...
    def delete(
        self,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        expected_version: int | None = None,
    ) -> JsonObject: ...
    def text(self, path: str, **query: object) -> str: ...
    def pages(self, path: str, **query: object) -> Iterator[JsonObject]: ...
    def streamed(self, path: str, after: int) -> Iterator[JsonObject]: ...


class Place:
    """Where one kind of things is; what a caller leaves out is not sent there."""

    def __init__(self, api: Api, path: str) -> None:
        self._api, self._path = api, path

    def _at(self, id_or_name: str, action: str = "") -> str:
        return f"{self._path}/{quote(str(id_or_name), safe='')}{action}"

    def _do(
        self, id_or_name: str, action: str, expected_version: int | None = None, **body: object
    ) -> JsonObject:
        given = {name: value for name, value in body.items() if value is not None}
        at = self._at(id_or_name, f"/{action}")
        key = _key(given)
        return self._api.post(at, given, expected_version=expected_version, key=key)

    def _create(self, **body: object) -> JsonObject:
        given = {name: value for name, value in body.items() if value is not None}
        return self._api.post(self._path, given, key=_key(given))


class Resource(Place):
    """One kind of things, and what all kinds have in common."""

    def get(self, id_or_name: str, *, as_of: AsOf | None = None) -> JsonObject:
        """Read one, as it is or as it was."""
        return self._api.get(self._at(id_or_name), as_of=as_of)

    def list(self, **filters: object) -> Iterator[JsonObject]:
        """All of them, newest first; with ``as_of``, as they were."""
        return self._api.pages(self._path, **filters)

    def history(self, id_or_name: str, **filters: object) -> Iterator[JsonObject]:
        """What each event made of one, newest first; see ``mode`` and ``status``."""
        return self._api.pages(self._at(id_or_name, "/history"), **filters)


def _key(body: Mapping[str, object]) -> str | None:
    """The id that the caller chose is its key: made again, the thing is the one there is."""
    return str(body["id"]) if "id" in body else None


class Retirable(Resource):
    """Things that leave service and stay readable."""

    def retire(
        self, id_or_name: str, reason: str | None = None, *, expected_version: int | None = None
    ) -> JsonObject:
        """Take it out of service; it stays readable."""
        return self._do(id_or_name, "retire", expected_version, reason=reason)


class Modules(Retirable):
    """A signature with a way to ask for it."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/modules")

    def create(
        self,
        name: str,
        kind: str,
        signature_id: str | None = None,
        *,
        signature: str | None = None,
        config: Mapping[str, object] | None = None,
        parameters: Mapping[str, object] | None = None,
        tools: Sequence[str] | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Create a module of *kind*, with what that takes as *parameters*.

        An agent takes copies of the *tools* that are named by their ids, too.

        It is of the signature with *signature_id*, or of the *signature* written in place.
        """
        return self._create(
            name=name,
            kind=kind,
            signature_id=signature_id,
            signature=signature,
            config=config,
            parameters=parameters,
            tools=tools,
            id=id,
        )

    def configure(
        self,
        id_or_name: str,
        config: Mapping[str, object],
        *,
        expected_version: int | None = None,
    ) -> JsonObject:
        """Change settings; what *config* leaves out stays."""
        return self._do(id_or_name, "configure", expected_version, config=config)


class Tools(Retirable):
    """What agents may call."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/tools")

    def create(self, spec: Mapping[str, object], *, id: str | None = None) -> JsonObject:
        """Create a tool, which is called as its ``spec`` says."""
        return self._create(spec=spec, id=id)


class Programs(Retirable):
    """Modules wired together, in versions and stages."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/programs")

    def create(
        self,
        name: str,
        signature: str | None = None,
        *,
        kind: str = "predict",
        parameters: Mapping[str, object] | None = None,
        graph: Mapping[str, object] | None = None,
        description: str | None = None,
        default_optimizer: str | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Create a program of one module of *signature*, or of a whole *graph*."""
        module = {"kind": kind, "signature_syntax": signature, "parameters": parameters}
        return self._create(
            name=name,
            modules=[module] if signature is not None else None,
            graph=graph,
            description=description,
            default_optimizer=default_optimizer,
            id=id,
        )

    def versions(self, id_or_name: str, *, as_of: AsOf | None = None) -> Iterator[JsonObject]:
        """Its versions with scores and deployments, newest first."""
        return self._api.pages(self._at(id_or_name, "/versions"), as_of=as_of)

    def start_testing(self, id_or_name: str, *, expected_version: int | None = None) -> JsonObject:
        """Move a draft on to testing."""
        return self._do(id_or_name, "testing", expected_version)

    def deploy(
        self,
        id_or_name: str,
        program_version: int | None = None,
        *,
        reason: str | None = None,
        evidence: Sequence[str] = (),
        expected_version: int | None = None,
    ) -> JsonObject:
        """Make a version live, the latest if none is named."""
        return self._do(
            id_or_name,
            "deploy",
            expected_version,
            program_version=program_version,
            reason=reason,
            evidence=list(evidence),
        )

    def execute(
        self,
        id_or_name: str,
        inputs: Mapping[str, object],
        *,
        program_version: int | None = None,
        wait_s: float | None = None,
        deadline_s: float | None = None,
        model: str | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Run it and wait for the end, for *wait_s* or until its deadline; see ``status``.

        *model* is a provider, or a model of one as ``provider/model``.

        Raises:
            StratalProblem: Among others ``execution.timed_out``: it was ended at its deadline.
        """
        return self._do(
            id_or_name,
            "execute",
            inputs=inputs,
            program_version=program_version,
            wait=wait_s,
            deadline_s=deadline_s,
            model=model,
            id=id,
        )

    def stream(
        self,
        id_or_name: str,
        inputs: Mapping[str, object],
        *,
        program_version: int | None = None,
        deadline_s: float | None = None,
        model: str | None = None,
        id: str | None = None,
    ) -> Iterator[JsonObject]:
        """Run it, and tell what happens while it does: see ``executions.stream``."""
        ran = self._do(
            id_or_name,
            "execute",
            inputs=inputs,
            program_version=program_version,
            deadline_s=deadline_s,
            model=model,
            id=id,
            stream=True,
        )
        return self._api.streamed(f"/v1/executions/{ran['execution_id']}/stream", 0)

    def compile(
        self,
        id_or_name: str,
        dataset: str,
        metric: str,
        *,
        optimizer: str | None = None,
        config: Mapping[str, object] | None = None,
        program_version: int | None = None,
        seed: int | None = None,
        adopt: str | None = None,
    ) -> JsonObject:
        """Look for a better version; follow it with ``optimizations.wait(reply["id"])``.

        With ``adopt="approval"`` it is proposed: see ``optimizations.proposal``.
        """
        return self._do(
            id_or_name,
            "compile",
            dataset=dataset,
            metric=metric,
            optimizer=optimizer,
            config=config,
            program_version=program_version,
            seed=seed,
            adopt=adopt,
        )

    def evaluate(
        self,
        id_or_name: str,
        dataset: str,
        metric: str,
        *,
        split: str | None = None,
        program_version: int | None = None,
    ) -> JsonObject:
        """Score a version; follow it with ``evaluations.wait(reply["id"])``."""
        return self._do(
            id_or_name,
            "evaluate",
            dataset=dataset,
            metric=metric,
            split=split,
            program_version=program_version,
        )


class Checkpoints:
    """What the notary signed of the log. Check it with ``infrastructure.notary.verifier``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> Iterator[JsonObject]:
        """All of them, the latest first."""
        return self._api.pages("/v1/checkpoints")

    def get(self, size: int) -> JsonObject:
        """The one that signs the first *size* events."""
        return self._api.get(f"/v1/checkpoints/{size}")

    def consistency(self, old: int, new: int) -> JsonObject:
        """Proof that the log of the later one begins with that of the earlier one."""
        return self._api.get(f"/v1/checkpoints/{old}/consistency/{new}")

    def inclusion(self, position: int, size: int | None = None) -> JsonObject:
        """Proof that the event at *position* is in the one of *size*, or in the latest."""
        return self._api.get(f"/v1/events/{position}/proof", size=size)
