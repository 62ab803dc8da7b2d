"""Running a program on many rows, for a client."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar
from urllib.parse import quote

from infrastructure.client.resources import Api, JsonObject
from infrastructure.client.runs import Runs


class Batches(Runs):
    """Runs of a program on many rows, a few at a time.

    One that is ``paused`` or ``estimated`` does not go on by itself: to follow it ends there, too.
    """

    ENDED: ClassVar[frozenset[str]] = frozenset({"completed", "cancelled", "paused", "estimated"})

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/batches")

    def request(
        self,
        program: str,
        rows: Iterable[Mapping[str, object]] | bytes,
        *,
        program_version: int | None = None,
        concurrency: int | None = None,
        deadline_s: float | None = None,
        key: str | None = None,
    ) -> JsonObject:
        """Run *program* on all *rows*: inputs of one run each, or JSON lines as they are.

        Nothing is stored unless all are good. Follow it with ``follow(reply["id"])``.
        """
        if not isinstance(rows, bytes):
            rows = b"".join(json.dumps(row, allow_nan=False).encode() + b"\n" for row in rows)
        return self._api.send(
            f"/v1/programs/{quote(program, safe='')}/batches",
            rows,
            content_type="application/x-ndjson",
            key=key,
            program_version=program_version,
            concurrency=concurrency,
            deadline_s=deadline_s,
        )

    def vary(
        self,
        program: str,
        *,
        of: Mapping[str, object] | None = None,
        program_version: int | None = None,
        model: str | None = None,
        concurrency: int | None = None,
        deadline_s: float | None = None,
        key: str | None = None,
    ) -> JsonObject:
        """Have recorded executions of *program* run another way; nothing runs before ``resume``.

        *of* narrows them down, as ``{"program_version": 1, "limit": 20}``. What it would cost
        is its ``estimate`` once it is ``estimated``.
        """
        asked = {
            "of": of,
            "program_version": program_version,
            "model": model,
            "concurrency": concurrency,
            "deadline_s": deadline_s,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        at = f"/v1/programs/{quote(program, safe='')}/counterfactuals"
        return self._api.post(at, given, key=key)

    def comparison(
        self,
        id: str,
        *,
        metric: str | None = None,
        dataset: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JsonObject:
        """Recorded executions beside their other runs, and in ``sums``; ``next`` leads to more.

        *metric* scores both; the rows of *dataset* say what is right, or else what was given.
        """
        at = self._at(id, "/comparison")
        return self._api.get(at, metric=metric, dataset=dataset, limit=limit, cursor=cursor)

    def results(self, id: str) -> Iterator[JsonObject]:
        """What became of each row, in the order of the rows, as far as they are now."""
        return (json.loads(line) for line in self.result_lines(id).splitlines())

    def result_lines(self, id: str) -> str:
        """The same as JSON lines."""
        return self._api.text(self._at(id, "/results"))

    def resume(self, id: str, *, expected_version: int | None = None) -> JsonObject:
        """Go on with one that was paused, once what stopped it is mended."""
        return self._do(id, "resume", expected_version)
