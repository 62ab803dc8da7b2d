"""Routes to models, for a client."""

from collections.abc import Mapping, Sequence

from infrastructure.client.resources import Api, JsonObject, Resource

Candidates = Sequence[Mapping[str, object]]


class Routes(Resource):
    """Names for several models, one of which is chosen for each run that names ``route:NAME``."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/routes")

    def create(
        self, name: str, strategy: str, candidates: Candidates, *, id: str | None = None
    ) -> JsonObject:
        """Create one. *strategy* says how a candidate is chosen of those whose conditions hold.

        It is ``primary``, ``fallback``, ``load_balanced``, ``cost_optimized`` or
        ``latency_optimized``. A candidate is ``{"model": "mini/gpt-4o-mini", "weight": 3,
        "input_size_max": 2000, "cost_limit_usd": "0.01", "context_required": "context"}``, of which
        the model is enough.
        """
        return self._create(name=name, strategy=strategy, candidates=[*candidates], id=id)

    def change(self, id_or_name: str, strategy: str, candidates: Candidates) -> JsonObject:
        """Choose otherwise from now on; name everything, also what stays."""
        return self._do(id_or_name, "change", strategy=strategy, candidates=[*candidates])

    def disable(self, id_or_name: str, reason: str | None = None) -> JsonObject:
        """Refuse runs that name it until it is enabled."""
        return self._do(id_or_name, "disable", reason=reason)

    def enable(self, id_or_name: str) -> JsonObject:
        """Let runs name it again."""
        return self._do(id_or_name, "enable")
