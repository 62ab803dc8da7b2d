"""Try a module of somebody's own out: import, build, copy, round-trip its state, run it dry.

This runs in a process of its own, which the module may ruin: see ``infrastructure.main.probe``.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from importlib.metadata import version
from platform import python_version
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

import dspy
from pydantic import JsonValue

from application.lm_ports import JsonObject, ProgramFailed, RunStopped
from application.probing import ModuleRefused
from domain.probe.values import Findings, ModulePromise
from domain.signature.errors import ValuesDoNotFit
from domain.signature.schemas import json_schema
from domain.signature.validation import validate_inputs
from infrastructure.dspy_runtime import state as states
from infrastructure.dspy_runtime.custom import (
    Imported,
    Packages,
    as_promised,
    described,
    predictor_found,
    refused,
)
from infrastructure.dspy_runtime.dry_run import DryRun
from infrastructure.made_up import made_up

_LIBRARIES: Final = ("dspy", "pydantic")
_NESTING: Final = 12
_LEAVES: Final = (type, ModuleType, FunctionType, MethodType, str, bytes, int, float)
"""What holds no predictor of a module: values, and what belongs to the whole process."""

Stage = Callable[[str], None]
"""Is told what begins now, in words that follow “while”."""


def probe(promise: ModulePromise, packages: Packages, dry_run: DryRun, stage: Stage) -> Findings:
    """What there is to know about the module of *promise*.

    Raises:
        ModuleRefused: It cannot be used.
    """
    stage("its package was imported")
    imported = packages.imported(promise.import_path)
    _leaves_settings_alone()
    stage("it was built")
    module, twin = _built(imported, promise), _built(imported, promise)
    _shows_its_predictors(module)
    if states.dumped(module) != states.dumped(twin):
        raise refused("not_repeatable", "Built twice it differs. Leave chance out of __init__.")
    stage("it was copied")
    _keeps_its_state(module, twin)
    stage("it was run on made-up inputs")
    outputs = _run(promise, module, dry_run)
    return Findings(
        source_sha256=imported.source.sha256,
        package=imported.source.package,
        distribution=imported.source.distribution,
        distribution_version=imported.source.distribution_version,
        libraries={"python": python_version(), **{each: version(each) for each in _LIBRARIES}},
        predictors=tuple(predictor_found(*each) for each in module.named_predictors()),
        calls=dry_run.calls,
        repeatable=_repeats(promise, module, dry_run, outputs),
    )


def made_up_inputs(promise: ModulePromise) -> dict[str, JsonValue]:
    """Inputs that fit the signature: those of *promise*, the others made up.

    Raises:
        ModuleRefused: One of them cannot be made up.
    """
    fields = promise.signature.inputs
    schema = json_schema(fields)
    parts: Mapping[str, Any] = schema["properties"]
    values = {
        each.name: made_up({**parts[each.name], "$defs": schema.get("$defs", {})}, each.name)
        for each in fields
        if each.name not in promise.inputs and not each.optional
    }
    try:
        return validate_inputs(promise.signature, {**values, **promise.inputs})
    except ValuesDoNotFit as error:
        message = f"No inputs can be made up for the dry run: {error} Send some."
        raise refused("inputs_needed", message) from error


def _leaves_settings_alone() -> None:
    if dspy.settings.lm is not None:
        message = "Its package calls dspy.configure. Leave that out: programs get their model here."
        raise refused("configures_dspy", message)


def _built(imported: Imported, promise: ModulePromise) -> dspy.Module:
    outputs = [each.name for each in promise.signature.outputs]
    kind = as_promised(imported.kind, outputs=outputs, wraps_result=promise.wraps_result)
    with _refusing("constructor_failed", "Its constructor failed ({error}). Mend the arguments."):
        module = kind(**promise.arguments)
    if not hasattr(imported.kind, "forward"):
        raise refused("no_forward", "It has no forward method. Write one; aforward is not used.")
    return module


def _shows_its_predictors(module: dspy.Module) -> None:
    shown = {id(each) for _, each in module.named_predictors()}
    for path, part in _parts(module, "", _NESTING, set()):
        if isinstance(part, dspy.BaseLM):
            message = f"It holds a model of its own at {path}. Leave it out: programs get theirs."
            raise refused("own_model", f"{message} Name another one in the node's settings.")
        if isinstance(part, dspy.Predict) and id(part) not in shown:
            message = f"Its predictor at {path} is hidden from optimizers and from the log."
            raise refused(
                "hidden_predictor", f"{message} Make it an attribute, or an item of a flat list."
            )


def _parts(part: Any, path: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Everything that *part* is made of, as far as attributes and containers show it."""
    if depth == 0 or id(part) in seen or isinstance(part, _LEAVES):
        return
    seen.add(id(part))
    if path:
        yield path, part
    inner: list[tuple[str, Any]] = []
    if isinstance(part, dict):
        inner = [(f"{path}[{key!r}]", value) for key, value in part.items()]
    elif isinstance(part, list | tuple | set | frozenset):
        inner = [(f"{path}[{index}]", value) for index, value in enumerate(part)]
    elif isinstance(vars_of := getattr(part, "__dict__", None), dict):
        inner = [(f"{path}.{name}".lstrip("."), value) for name, value in vars_of.items()]
    for where, value in inner:
        yield from _parts(value, where, depth - 1, seen)


def _keeps_its_state(module: dspy.Module, twin: dspy.Module) -> None:
    before = states.dumped(module)
    with _refusing("not_copyable", "It cannot be copied ({error}). Hold no open resources."):
        copied = module.deepcopy()
    if states.dumped(copied) != before or _shared(module, copied):
        raise refused("not_copyable", "A copy of it has other predictors, or shares them.")
    changed = {path: _changed(part) for path, part in before.items()}
    try:
        states.load(twin, changed)
    except ProgramFailed as error:
        raise refused("state_lost", f"Its state cannot be loaded: {error}") from error
    if states.dumped(twin) != changed or states.dumped(module) != before:
        raise refused("state_lost", "It does not keep the state that it is given.")


def _changed(state: Any) -> JsonValue:
    """The state of a predictor after an optimization: another instruction, and a demo."""
    signature = {**state["signature"], "instructions": "Kept by Stratal."}
    return {**state, "demos": [{"kept": True}], "signature": signature}


def _shared(module: dspy.Module, copied: dspy.Module) -> bool:
    own = {id(each) for _, each in module.named_predictors()}
    return any(id(each) in own for _, each in copied.named_predictors())


def _run(promise: ModulePromise, module: dspy.Module, dry_run: DryRun) -> JsonObject:
    inputs = made_up_inputs(promise)
    try:
        with _refusing("dry_run_failed", "Run on made-up inputs it failed ({error})."):
            prediction = dry_run.run(module.deepcopy(), inputs, live=True)
    except RunStopped as stop:
        raise refused("dry_run_failed", f"Its model call failed: {stop.failure.message}") from stop
    outputs = {each.name: prediction.get(each.name) for each in promise.signature.outputs}
    optional = {each.name for each in promise.signature.outputs if each.optional}
    missing = [name for name, value in outputs.items() if value is None and name not in optional]
    if missing:
        message = f"It promised {', '.join(missing)} and did not return it."
        raise refused("outputs_missing", f"{message} Return a dspy.Prediction with every output.")
    return outputs


def _repeats(
    promise: ModulePromise, module: dspy.Module, dry_run: DryRun, outputs: JsonObject
) -> bool:
    """Whether a second run gets along with the recorded calls, and answers the same."""
    try:
        again = dry_run.run(module.deepcopy(), made_up_inputs(promise), live=False)
    except (Exception, RunStopped):  # noqa: BLE001 - whatever it does, it does not repeat itself
        return False
    return all(again.get(name) == value for name, value in outputs.items())


@contextlib.contextmanager
def _refusing(code: str, sentence: str) -> Generator[None]:
    try:
        yield
    except ModuleRefused:
        raise
    except (Exception, SystemExit) as error:
        raise refused(code, sentence.format(error=described(error))) from error
