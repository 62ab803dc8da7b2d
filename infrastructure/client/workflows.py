"""Workflows and their runs, for a client."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from infrastructure.client.resources import Api, JsonObject, Retirable
from infrastructure.client.runs import Runs


class Workflows(Retirable):
    """Steps that are done in turn, with what undoes each."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/workflows")

    def define(
        self,
        name: str,
        steps: Sequence[Mapping[str, object]],
        *,
        inputs: Sequence[Mapping[str, object]] = (),
        id: str | None = None,
    ) -> JsonObject:
        """Define a workflow; the programs and tools that *steps* name are pinned."""
        return self._create(name=name, inputs=list(inputs), steps=list(steps), id=id)

    def revise(
        self,
        id_or_name: str,
        steps: Sequence[Mapping[str, object]],
        *,
        inputs: Sequence[Mapping[str, object]] = (),
        expected_version: int | None = None,
    ) -> JsonObject:
        """Make another version; what was started goes on as it was."""
        return self._do(
            id_or_name, "revise", expected_version, inputs=list(inputs), steps=list(steps)
        )

    def start(
        self,
        id_or_name: str,
        inputs: Mapping[str, object] | None = None,
        *,
        workflow_version: int | None = None,
        wait_s: float | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Start it and wait for the end: 30 s if ``wait_s`` is left out; see ``status``."""
        body = {"inputs": dict(inputs or {}), "workflow_version": workflow_version, "id": id}
        given = {name: value for name, value in body.items() if value is not None}
        return self._api.post(
            self._at(id_or_name, "/start"), given, params={"wait": wait_s}, key=id
        )


class WorkflowRuns(Runs):
    """What became of workflows that were started."""

    ENDED: ClassVar[frozenset[str]] = frozenset({"completed", "undone", "failed"})

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/workflow-runs")

    def undo(self, id: str, *, expected_version: int | None = None) -> JsonObject:
        """Try once more to undo what could not be undone."""
        return self._do(id, "undo", expected_version)
