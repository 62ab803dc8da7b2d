"""Running a program on many rows, for a client."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar
from urllib.parse import quote

from infrastructure.client.resources import Api, JsonObject
from infrastructure.client.runs import Runs


class Batches(Runs):
    """Runs of a program on many rows, a few at a time.

    A ``paused`` one does not go on by itself: to follow it ends there, too.
    """

    ENDED: ClassVar[frozenset[str]] = frozenset({"completed", "cancelled", "paused"})

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

    def results(self, id: str) -> Iterator[JsonObject]:
        """What became of each row, in the order of the rows, as far as they are now."""
        return (json.loads(line) for line in self.result_lines(id).splitlines())

    def result_lines(self, id: str) -> str:
        """The same as JSON lines."""
        return self._api.text(self._at(id, "/results"))

    def resume(self, id: str, *, expected_version: int | None = None) -> JsonObject:
        """Go on with one that was paused, once what stopped it is mended."""
        return self._do(id, "resume", expected_version)
