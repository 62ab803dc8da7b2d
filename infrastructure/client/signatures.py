"""Signatures, as a client defines them: as a text, as data or as a class."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from infrastructure.client.resources import Api, AsOf, JsonObject, Retirable

if TYPE_CHECKING:  # it brings pydantic, which the command line starts without
    from domain.signature.classes import Signature


class Signatures(Retirable):
    """What goes in and what comes out."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/signatures")

    def compile(self, syntax: str, *, instructions: str | None = None) -> JsonObject:
        """Check a signature and see its fields, schemas and hash; nothing is stored."""
        body = {"syntax": syntax}
        if instructions is not None:
            body["instructions"] = instructions
        return self._api.post(f"{self._path}/compile", body)

    def create(
        self,
        name: str,
        syntax: str | None = None,
        *,
        spec: Mapping[str, object] | None = None,
        instructions: str | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Define a signature by its text or by its data."""
        return self._create(name=name, syntax=syntax, spec=spec, instructions=instructions, id=id)

    def register(self, signature: "type[Signature]", *, name: str | None = None) -> JsonObject:
        """Keep *signature* under *name*, else under that of its class.

        The first time defines it, other content is a revision, equal content changes nothing.

        Raises:
            InvalidSignature: The class breaks a rule; nothing was sent.
        """
        spec = signature.spec().model_dump(mode="json")
        body = {"name": name or signature.__name__, "spec": spec}
        return self._api.post(f"{self._path}/register", body)

    def json_schema(
        self,
        id_or_name: str,
        form: str = "generic",
        *,
        side: str = "outputs",
        as_of: AsOf | None = None,
    ) -> JsonObject:
        """The JSON Schema of its outputs or inputs: ``generic``, or for a provider."""
        at = self._at(id_or_name, "/json-schema")
        return self._api.get(at, **{"for": form, "side": side, "as_of": as_of})

    def revise(
        self,
        id_or_name: str,
        syntax: str | None = None,
        *,
        spec: Mapping[str, object] | None = None,
        instructions: str | None = None,
        expected_version: int | None = None,
    ) -> JsonObject:
        """Write the next revision."""
        return self._do(
            id_or_name,
            "revise",
            expected_version,
            syntax=syntax,
            spec=spec,
            instructions=instructions,
        )
