"""Records, and the programs that are bound to them, for a client."""

import time
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from infrastructure.client.resources import Api, AsOf, JsonObject, Resource

Sources = Mapping[str, Mapping[str, object]]
"""By input: ``{"pointer": "/content"}`` into the record, or ``{"value": …}``."""


class Records:
    """Things of your own, by a word of yours for their kind."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def create(
        self, resource: str, data: Mapping[str, object], *, id: str | None = None
    ) -> JsonObject:
        """Create a record; programs that are bound to that run afterwards."""
        body = {"data": data} if id is None else {"data": data, "id": id}
        return self._api.post(_path(resource), body, key=id)

    def get(self, resource: str, id: str, *, as_of: AsOf | None = None) -> JsonObject:
        """Read one with what it holds and the programs that it called."""
        return self._api.get(_path(resource, id), as_of=as_of)

    def list(self, resource: str, **filters: object) -> Iterator[JsonObject]:
        """All of a kind, newest first; with ``as_of``, as they were."""
        return self._api.pages(_path(resource), **filters)

    def update(
        self,
        resource: str,
        id: str,
        patch: Mapping[str, object],
        *,
        expected_version: int | None = None,
    ) -> JsonObject:
        """Change fields: what *patch* does not name stays, ``None`` takes a field away."""
        return self._api.patch(_path(resource, id), patch, expected_version=expected_version)

    def delete(
        self,
        resource: str,
        id: str,
        reason: str | None = None,
        *,
        expected_version: int | None = None,
    ) -> JsonObject:
        """Delete one; it stays readable."""
        return self._api.delete(
            _path(resource, id), params={"reason": reason}, expected_version=expected_version
        )

    def repeat(self, resource: str, id: str, execution_id: str) -> JsonObject:
        """Call once more the program of a run that failed, on what the record holds now."""
        calls = f"/calls/{quote(str(execution_id), safe='')}/repeat"
        return self._api.post(_path(resource, id) + calls)

    def wait(
        self, resource: str, id: str, *, timeout_s: float, every_s: float = 0.25
    ) -> JsonObject:
        """One once no program that it called is pending.

        Raises:
            TimeoutError: One still is; it goes on.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            found = self.get(resource, id)
            if all(call["status"] != "pending" for call in found["calls"]):
                return found
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{id} still waits for a program. It goes on.")
            time.sleep(every_s)


class Bindings(Resource):
    """Which changes of records run which program."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/bindings")

    def create(
        self,
        resource: str,
        name: str,
        program: str,
        *,
        inputs: Sources,
        outputs: Mapping[str, str],
        action: str = "create",
        changed: Sequence[str] = (),
        program_version: int | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Run *program* whenever such a record is created, or updated.

        Args:
            resource: The kind of records.
            name: What it is called; in full ``resource.name``.
            program: Id or name.
            inputs: Where each input of the program comes from.
            outputs: By field of the record, the output that goes into it.
            action: ``create`` or ``update``.
            changed: Only updates that change one of these fields; any if none is named.
            program_version: The deployed one if left out, or else the latest.
            id: Its id, if you make ids yourself.
        """
        return self._create(
            resource=resource,
            name=name,
            program=program,
            inputs=inputs,
            outputs=outputs,
            action=action,
            changed=list(changed),
            program_version=program_version,
            id=id,
        )

    def calls(self, id_or_name: str, **filters: object) -> Iterator[JsonObject]:
        """What called it, of all records, the latest first; see ``status``."""
        return self._api.pages(self._at(id_or_name, "/calls"), **filters)

    def change(
        self,
        id_or_name: str,
        program: str,
        *,
        inputs: Sources,
        outputs: Mapping[str, str],
        action: str = "create",
        changed: Sequence[str] = (),
        program_version: int | None = None,
        expected_version: int | None = None,
    ) -> JsonObject:
        """Bind differently from now on."""
        body = {
            "program": program,
            "inputs": inputs,
            "outputs": outputs,
            "action": action,
            "changed": list(changed),
            "program_version": program_version,
        }
        at = self._at(id_or_name, "/change")
        return self._api.post(at, body, expected_version=expected_version)

    def pause(
        self, id_or_name: str, reason: str | None = None, *, expected_version: int | None = None
    ) -> JsonObject:
        """Have changes run it no more, until it is resumed."""
        return self._do(id_or_name, "pause", expected_version, reason=reason)

    def resume(self, id_or_name: str, *, expected_version: int | None = None) -> JsonObject:
        """Have changes from now on run it again."""
        return self._do(id_or_name, "resume", expected_version)

    def remove(
        self, id_or_name: str, reason: str | None = None, *, expected_version: int | None = None
    ) -> JsonObject:
        """Have nothing run it ever again; it stays readable."""
        return self._do(id_or_name, "remove", expected_version, reason=reason)


def _path(resource: str, id: str | None = None) -> str:
    kind = f"/v1/records/{quote(resource, safe='')}"
    return kind if id is None else f"{kind}/{quote(str(id), safe='')}"
