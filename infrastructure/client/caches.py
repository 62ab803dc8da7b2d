"""Caches: what equal runs are answered with instead of the model."""

from infrastructure.client.resources import Api, JsonObject, Place


class Caches(Place):
    """The caches of the tenant."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/cache")

    def purge(
        self,
        *,
        cache: str | None = None,
        program: str | None = None,
        model: str | None = None,
        reason: str | None = None,
    ) -> JsonObject:
        """Have what was kept until now served no more: all, or what fits each word.

        *cache* is ``answers`` or ``predictions``; *program* an id or name; *model* as in a trace.
        """
        words = {"cache": cache, "program": program, "model": model, "reason": reason}
        told = {name: value for name, value in words.items() if value is not None}
        return self._api.delete(self._path, params=told)
