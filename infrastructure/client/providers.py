"""Providers of language models, for a client."""

from collections.abc import Mapping, Sequence

from infrastructure.client.resources import Api, JsonObject, Resource

Offered = Sequence[Mapping[str, object]]


class Providers(Resource):
    """Which models there are, where they are asked, and which one is usual."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/providers")

    def register(
        self,
        name: str,
        kind: str,
        *,
        models: Offered = (),
        base_url: str | None = None,
        secret: str | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Register one; *secret* names a variable of the workers: ``env:OPENAI_API_KEY``.

        A model is ``{"name": "gpt-4", "temperature": 0.0, "max_tokens": 1000}``, of which the name
        is enough.
        """
        return self._create(
            name=name, kind=kind, base_url=base_url, secret=secret, models=[*models], id=id
        )

    def change(
        self, id_or_name: str, *, models: Offered = (), base_url: str | None = None
    ) -> JsonObject:
        """Ask it elsewhere, or offer other models; name everything, also what stays."""
        return self._do(id_or_name, "change", base_url=base_url, models=[*models])

    def rotate(self, id_or_name: str, secret: str) -> JsonObject:
        """Make calls with another key from now on."""
        return self._do(id_or_name, "rotate", secret=secret)

    def disable(self, id_or_name: str, reason: str | None = None) -> JsonObject:
        """Ask it nothing more until it is enabled."""
        return self._do(id_or_name, "disable", reason=reason)

    def enable(self, id_or_name: str) -> JsonObject:
        """Let it be asked again."""
        return self._do(id_or_name, "enable")

    def make_default(self, id_or_name: str) -> JsonObject:
        """Have it answer where nothing else is said."""
        return self._do(id_or_name, "default")

    def clear_default(self) -> JsonObject:
        """Have the model of the workers answer again where nothing else is said."""
        return self._api.delete(f"{self._path}/default")
