"""Webhooks, for a client."""

from collections.abc import Sequence

from infrastructure.client.resources import Api, JsonObject, Resource


class Webhooks(Resource):
    """Where what happens is sent."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/v1/webhooks")

    def subscribe(
        self,
        name: str,
        url: str,
        *,
        topics: Sequence[str] = (),
        secret: str | None = None,
        after: int | None = None,
        id: str | None = None,
    ) -> JsonObject:
        """Have events sent to *url*; the reply has the ``secret`` that signs, which is told once.

        *secret* names one that the service keeps instead.
        """
        return self._create(
            name=name, url=url, topics=list(topics), secret=secret, after=after, id=id
        )

    def pause(self, id_or_name: str, reason: str | None = None) -> JsonObject:
        """Send nothing until it is resumed."""
        return self._do(id_or_name, "pause", reason=reason)

    def resume(self, id_or_name: str) -> JsonObject:
        """Go on where the deliveries were."""
        return self._do(id_or_name, "resume")

    def rotate(self, id_or_name: str, secret: str | None = None) -> JsonObject:
        """Sign with another secret from now on; the reply has it if it was made."""
        return self._do(id_or_name, "rotate", secret=secret)

    def remove(self, id_or_name: str, reason: str | None = None) -> JsonObject:
        """Send nothing more, for good."""
        return self._do(id_or_name, "remove", reason=reason)
