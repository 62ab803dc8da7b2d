"""From the setting ``STRATAL_LM`` to a model that can be asked. Importing this imports DSPy."""

from pathlib import Path

from infrastructure.models import native
from infrastructure.models.binding import (
    Engine,
    ModelBinding,
    ModelSettingIsInvalid,
    free_of_charge,
)
from infrastructure.models.local import LocalEngine
from infrastructure.models.scripted import Script, ScriptedEngine
from infrastructure.models.transport import MayAsk
from infrastructure.models.weights import SMOLLM2, located

SCRIPTED_CONCURRENCY = 4


def build_engine(
    setting: str,
    *,
    api_base: str | None,
    api_key: str | None,
    home: Path,
    may_ask: MayAsk | None = None,
) -> ModelBinding:
    """The model that *setting* names; weights are loaded and connections opened at the first call.

    *setting* is ``local``, ``local:NAME``, ``local:/path/model.gguf``, ``scripted:FILE`` or
    ``provider/model``. Keys of other programs in the environment are never used.

    Raises:
        ModelError: The setting cannot be used, or the model or its key is missing.
    """
    kind, _, rest = setting.partition(":")
    if kind == "local":
        name = rest or SMOLLM2
        # Measured: SmolLM2 answers the same with and without the cache, and ten times sooner.
        engine = LocalEngine(located(name, home))
        return ModelBinding(engine, f"local/{_short(name)}", "json", free_of_charge, 1)
    if kind == "scripted" and rest:
        path = Path(rest).expanduser()
        scripted = ScriptedEngine.from_file(path)
        return ModelBinding(
            scripted, f"scripted/{path.stem}", "chat", free_of_charge, SCRIPTED_CONCURRENCY
        )
    if "/" not in setting:
        raise ModelSettingIsInvalid(
            f"{setting} names no model. Set STRATAL_LM to local, local:NAME, scripted:FILE, "
            "or provider/model such as openai/gpt-4o-mini."
        )
    return native.bind(setting, api_base=api_base, api_key=api_key, may_ask=may_ask)


def made_up() -> ModelBinding:
    """A model that makes its answers up, of the right types: nobody is asked."""
    engine = ScriptedEngine(Script())
    return ModelBinding(engine, "scripted/made-up", "chat", free_of_charge, SCRIPTED_CONCURRENCY)


def plugged(import_path: str, engine: Engine) -> ModelBinding:
    """The model behind *engine*, which another package brings; what a call costs is unknown.

    Raises:
        ModelSettingIsInvalid: It lacks a part of an engine.
    """
    wanted = ("complete", "seeded", "supports_response_schema", "supported_params")
    if missing := [each for each in wanted if not hasattr(engine, each)]:
        raise ModelSettingIsInvalid(
            f"What {import_path} makes is no engine: it lacks {', '.join(missing)}."
        )
    module, _, name = import_path.partition(":")
    model = f"{module.partition('.')[0]}/{name}"
    return ModelBinding(engine, model, "chat", lambda _: None, native.CONCURRENCY)


def _short(name: str) -> str:
    return Path(name).stem if name.endswith(".gguf") else name
