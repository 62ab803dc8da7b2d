"""What is refused about webhooks, and what to do then."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from domain.errors import ConflictError, Fault, ForbiddenError, InvalidError
from domain.webhook.values import WebhookStatus


class InvalidWebhook(InvalidError):
    """Nothing could be delivered so; ``faults`` point into what was sent."""

    code: ClassVar[str] = "webhook.invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"This webhook cannot be used: {faults[0].message}", faults)


class WebhookIsNotAllowed(ForbiddenError):
    """Whoever runs the service does not let events be sent there."""

    code: ClassVar[str] = "webhook.not_allowed"

    def __init__(self, url: str) -> None:
        message = f"{url[:200]} is not allowed here: see STRATAL_WEBHOOK_HOSTS."
        super().__init__(message, [Fault("/url", self.code, message)])


class SecretIsUnknown(InvalidError):
    """No secret has that name here."""

    code: ClassVar[str] = "webhook.secret_unknown"

    def __init__(self, name: str) -> None:
        message = f"There is no secret {name} here: see STRATAL_WEBHOOK_SECRETS."
        super().__init__(message, [Fault("/secret", self.code, message)])


class WebhookForbids(ConflictError):
    """The state of the webhook forbids the action."""

    code: ClassVar[str] = "webhook.action_forbidden"

    def __init__(self, webhook_id: UUID, status: WebhookStatus, action: str) -> None:
        super().__init__(
            f"Webhook {webhook_id} is {status}, which forbids {action}. Subscribe a new one."
        )
        self.webhook_id, self.status, self.action = webhook_id, status, action
