"""Modules of one's own: have them tried out, and see what was found."""

from collections.abc import Iterator, Mapping
from typing import Any

from infrastructure.client.resources import Api, AsOf, JsonObject


class Probes:
    """Modules of one's own, tried out before a program may hold them."""

    def __init__(self, api: Api) -> None:
        self._api, self._path = api, "/v1/probes"

    def get(self, id: str, *, as_of: AsOf | None = None) -> JsonObject:
        """Read one, as it is or as it was."""
        return self._api.get(f"{self._path}/{id}", as_of=as_of)

    def list(self, **filters: object) -> Iterator[JsonObject]:
        """All of them, newest first; by ``import_path`` or ``status``."""
        return self._api.pages(self._path, **filters)

    def request(
        self,
        import_path: str,
        signature: str,
        *,
        arguments: Mapping[str, object] | None = None,
        inputs: Mapping[str, object] | None = None,
        wait_s: float | None = None,
    ) -> JsonObject:
        """Try ``package.module:Class`` out and wait for the end: 30 s if ``wait_s`` is left out.

        ``signature`` is what it promises; one without ``->`` promises no outputs. ``inputs`` are
        for the dry run, where those left out are made up. See ``status``.
        """
        body: dict[str, Any] = {"import_path": import_path, "signature_syntax": signature}
        body |= {"arguments": dict(arguments or {}), "inputs": dict(inputs or {})}
        return self._api.post(self._path, body, params={"wait": wait_s})

    def add(self, name: str, probe_id: str, *, description: str | None = None) -> JsonObject:
        """Create a program of the module that an accepted probe tried out."""
        body: dict[str, Any] = {"name": name, "modules": [{"probe_id": probe_id}]}
        return self._api.post("/v1/programs", body | _given(description=description))


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
