"""Puts DSPy together with its model and its tools, as the engine that workers run on.

Importing this module imports DSPy.
"""

from dataclasses import replace
from functools import partial

from application.circuits import Circuits
from application.lm_ports import ModelChoice
from application.models import MADE_UP
from application.tracing import Tracing
from application.turns import Turns
from infrastructure.choices import chosen_model
from infrastructure.dspy_runtime import custom
from infrastructure.dspy_runtime.engine import DspyEngine
from infrastructure.dspy_runtime.interpreter import Limits
from infrastructure.dspy_runtime.retries import Retries
from infrastructure.models.binding import ModelBinding, ModelKeyIsMissing
from infrastructure.models.catalog import build_engine, made_up, plugged
from infrastructure.settings import Settings
from infrastructure.toolboxes import allowed_toolbox
from infrastructure.tools.addresses import may_reach


def dspy_engine(
    settings: Settings,
    tracing: Tracing,
    turns: Turns | None = None,
    circuits: Circuits | None = None,
) -> DspyEngine:
    """DSPy in this process, with all that the settings allow; it has no model yet.

    Its calls wait for their *turns*, if there are any, and how its models do is told by *circuits*.
    """
    custom.allow(settings.module_packages)
    return DspyEngine(
        partial(_bound, settings, circuits or Circuits()),
        tracing,
        toolbox=allowed_toolbox(settings),
        code=Limits() if settings.allow_code else None,
        turns=turns,
        retries=Retries.doubling(settings.max_retries, settings.retry_delay),
    )


def configured_engine(
    settings: Settings,
    tracing: Tracing,
    turns: Turns | None = None,
    circuits: Circuits | None = None,
) -> DspyEngine:
    """The same on the model that the settings name; its weights load at the first call.

    Raises:
        ModelError: The setting cannot be used, or the model or its key is missing.
    """
    engine = dspy_engine(settings, tracing, turns, circuits)
    engine.configure(chosen_model(settings))
    return engine


def _bound(settings: Settings, circuits: Circuits, model: ModelChoice) -> ModelBinding:
    bound = _with_circuit(settings, circuits, replace(model, fallback=None))
    if model.fallback is None:
        return bound
    try:
        return replace(bound, fallback=_with_circuit(settings, circuits, model.fallback))
    except ModelKeyIsMissing:
        raise ModelKeyIsMissing(model.fallback.name, "STRATAL_LM_FALLBACK_API_KEY") from None


def _with_circuit(settings: Settings, circuits: Circuits, model: ModelChoice) -> ModelBinding:
    return replace(_alone(settings, model), circuit=circuits.of(model))


def _alone(settings: Settings, model: ModelChoice) -> ModelBinding:
    kind, _, path = model.name.partition(":")
    if kind == "plugin":
        made = custom.engine_of(path, api_base=model.api_base, api_key=model.api_key)
        return plugged(path, made)
    if model.name == MADE_UP:
        return made_up()
    return build_engine(
        model.name,
        api_base=model.api_base,
        api_key=model.api_key,
        home=settings.home,
        may_ask=None if model.reach is None else partial(may_reach, reach=model.reach),
    )
