"""Which model the settings choose, in the words of the application."""

from application.lm_ports import ModelChoice
from infrastructure.settings import Settings


def chosen_model(settings: Settings) -> ModelChoice:
    """The model that the settings name."""
    key = settings.lm_api_key
    return ModelChoice(
        settings.lm,
        api_base=settings.lm_api_base,
        api_key=None if key is None else key.get_secret_value(),
    )
