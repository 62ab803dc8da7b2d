"""The engine that the settings choose. Only that of DSPy in this process imports DSPy."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from application.circuits import Circuits
from application.lm_ports import Engine
from application.tracing import Tracing
from application.turns import Turns
from infrastructure.choices import chosen_model
from infrastructure.dspy_runtime.prober import ChildProber
from infrastructure.engines.native.engine import NativeEngine
from infrastructure.engines.pool import ProcessEngine
from infrastructure.engines.processes import Bounds
from infrastructure.engines.scripted import ScriptedEngine
from infrastructure.plugins import ImportedPlugins
from infrastructure.settings import Settings
from infrastructure.toolboxes import allowed_toolbox
from infrastructure.tools.toolbox import WorkerToolbox

SCRIPTED: Final = "scripted:"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runs and optimizes programs, tries modules out, calls tools, and imports metrics.

    ``close`` ends what it started. ``circuits`` are those of the models asked in this process.
    """

    engine: Engine
    prober: ChildProber
    toolbox: WorkerToolbox
    plugins: ImportedPlugins
    circuits: Circuits
    close: Callable[[], None]


def chosen_runtime(settings: Settings, tracing: Tracing, turns: Turns) -> Runtime:
    """The engine of ``STRATAL_ENGINE``, on the model of ``STRATAL_LM``.

    Raises:
        ModelError, EngineFault: The model or its key is missing, or the setting cannot be used.
        NativeModelIsInvalid, ScriptIsInvalid: The engine cannot do with what it was given.
    """
    circuits = Circuits()
    engine, close = _engine(settings, tracing, turns, circuits)
    packages = settings.module_packages
    prober, plugins = ChildProber(packages), ImportedPlugins(packages)
    return Runtime(engine, prober, allowed_toolbox(settings), plugins, circuits, close)


def _engine(
    settings: Settings, tracing: Tracing, turns: Turns, circuits: Circuits
) -> tuple[Engine, Callable[[], None]]:
    match settings.engine:
        case "dspy-process":
            processes = ProcessEngine(_bounds(settings), tracing)
            processes.configure(chosen_model(settings))
            return processes, processes.close
        case "native":
            native = NativeEngine(tracing, turns)
            native.configure(chosen_model(settings))
            return native, native.close
        case scripted if scripted.startswith(SCRIPTED):
            script = Path(scripted.removeprefix(SCRIPTED)).expanduser()
            return ScriptedEngine.from_file(script), _nothing
        case _:
            from infrastructure.runtime import configured_engine  # noqa: PLC0415 - it imports DSPy

            return configured_engine(settings, tracing, turns, circuits), _nothing


def runtime_of_a_child(settings: Settings, tracing: Tracing, turns: Turns) -> Runtime:
    """The same for a process that lives for one job: it needs no other one to be safe from it."""
    is_apart = settings.engine == "dspy-process"
    alone = settings.model_copy(update={"engine": "dspy"}) if is_apart else settings
    return chosen_runtime(alone, tracing, turns)


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        processes=settings.engine_processes,
        per_tenant=settings.engine_per_tenant,
        jobs=settings.recycle_jobs,
        memory_mb=settings.memory_mb,
    )


def _nothing() -> None:
    """Nothing was started that would have to end."""
