"""Which model the settings choose, in the words of the application."""

from pydantic import SecretStr

from application.lm_ports import ModelChoice
from infrastructure.settings import Settings


def chosen_model(settings: Settings) -> ModelChoice:
    """The model that the settings name, with its fallback if they name one."""
    return ModelChoice(
        settings.lm,
        api_base=settings.lm_api_base,
        api_key=_text(settings.lm_api_key),
        fallback=_fallback(settings),
    )


def _fallback(settings: Settings) -> ModelChoice | None:
    if settings.lm_fallback is None:
        return None
    return ModelChoice(
        settings.lm_fallback,
        api_base=settings.lm_fallback_api_base,
        api_key=_text(settings.lm_fallback_api_key),
    )


def _text(key: SecretStr | None) -> str | None:
    return None if key is None else key.get_secret_value()
