"""From the setting ``STRATAL_LM`` to a model that can be asked. Importing this imports DSPy."""

from pathlib import Path

from infrastructure.models import native
from infrastructure.models.binding import ModelBinding, ModelSettingIsInvalid, free_of_charge
from infrastructure.models.local import LocalEngine
from infrastructure.models.scripted import ScriptedEngine
from infrastructure.models.weights import SMOLLM2, located

SCRIPTED_CONCURRENCY = 4


def build_engine(
    setting: str, *, api_base: str | None, api_key: str | None, home: Path
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
            f"STRATAL_LM={setting} names no model. Use local, local:NAME, scripted:FILE, "
            "or provider/model such as openai/gpt-4o-mini."
        )
    return native.bind(setting, api_base=api_base, api_key=api_key)


def _short(name: str) -> str:
    return Path(name).stem if name.endswith(".gguf") else name
