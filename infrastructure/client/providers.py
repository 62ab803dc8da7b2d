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

    def generate(
        self,
        id_or_name: str,
        prompt: str,
        *,
        model: str | None = None,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        cache: bool | None = None,
        deadline_s: float | None = None,
        wait_s: float | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Have *prompt* answered by one of its models; see ``text``. It is an execution."""
        body = _said(
            prompt=prompt,
            model=model,
            system=system,
            temperature=temperature,
            max_tokens=max_tokens,
            cache=cache,
            deadline_s=deadline_s,
            id=id,
        )
        return self._api.post(
            self._at(id_or_name, "/generate"), body, params={"wait": wait_s}, key=id
        )

    def generate_batch(
        self,
        id_or_name: str,
        prompts: Sequence[str],
        *,
        model: str | None = None,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        cache: bool | None = None,
        concurrency: int | None = None,
        fail_fast: bool | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Have each of *prompts* answered, a few at a time: a batch with a result for each."""
        return self._do(
            id_or_name,
            "generate-batch",
            prompts=[*prompts],
            model=model,
            system=system,
            temperature=temperature,
            max_tokens=max_tokens,
            cache=cache,
            concurrency=concurrency,
            fail_fast=fail_fast,
            id=id,
        )

    def count_tokens(self, id_or_name: str, text: str) -> JsonObject:
        """How many tokens *text* takes, about."""
        return self._do(id_or_name, "count-tokens", text=text)

    def test(self, id_or_name: str, *, model: str | None = None) -> JsonObject:
        """Ask it something small: whether it answers, with what, how soon, or why not."""
        return self._api.post(self._at(id_or_name, "/test"), params={"model": model})

    def make_default(self, id_or_name: str) -> JsonObject:
        """Have it answer where nothing else is said."""
        return self._do(id_or_name, "default")

    def clear_default(self) -> JsonObject:
        """Have the model of the workers answer again where nothing else is said."""
        return self._api.delete(f"{self._path}/default")


def _said(**words: object) -> JsonObject:
    return {name: value for name, value in words.items() if value is not None}
