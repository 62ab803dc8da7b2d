"""Modules of somebody's own: imported from allowed packages alone, pinned to their source."""

import importlib
import sys
import threading
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dspy

from application.lm_ports import ProgramFailed
from application.probing import ModuleRefused
from domain.module.parameters import Custom
from domain.module.values import ModuleSpec
from domain.probe.rules import is_allowed
from domain.probe.values import RESULT, PredictorFound
from domain.text import mended
from domain.values import Failure
from infrastructure.dspy_runtime.package_source import NoSource, Source, source_of

SHOWN = 300


@dataclass(frozen=True, slots=True)
class Found:
    """What an import path leads to, and the source its package had when it was imported."""

    thing: Any
    source: Source


@dataclass(frozen=True, slots=True)
class Imported:
    """A class, and the source that its package had when this process imported it."""

    kind: type[dspy.Module]
    source: Source


@dataclass(slots=True)
class Packages:
    """The packages that this process may import modules from, and what it imported so far."""

    allowed: Collection[str]
    _sources: dict[str, Source] = field(default_factory=dict[str, Source])
    _modules: dict[str, Source] = field(default_factory=dict[str, Source])
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def imported(self, import_path: str) -> Imported:
        """The class at *import_path*.

        Raises:
            ModuleRefused: It is not allowed, cannot be imported, or is no ``dspy.Module``.
        """
        found = self.found(import_path)
        if not (isinstance(found.thing, type) and issubclass(found.thing, dspy.Module)):
            raise refused("not_a_module", f"{import_path} is no class that extends dspy.Module.")
        return Imported(found.thing, found.source)

    def found(self, import_path: str) -> Found:
        """The class or function at *import_path*.

        Raises:
            ModuleRefused: It is not allowed, cannot be imported, or is not the package's own.
        """
        if not is_allowed(import_path, self.allowed):
            raise refused("package_not_allowed", _NOT_ALLOWED.format(path=import_path))
        module, _, name = import_path.partition(":")
        with self._lock:
            source = self._modules.get(module) or self._new(module)
            found = getattr(importlib.import_module(module), name, None)
            self._modules[module] = source
        origin = getattr(found, "__module__", None)
        if not callable(found) or origin is None:
            raise refused("not_a_module", f"{import_path} is no class, and no function.")
        if not f"{origin}.".startswith(f"{source.package}."):
            raise refused("package_not_allowed", _FROM_ELSEWHERE.format(import_path, found))
        return Found(found, source)

    def _new(self, module: str) -> Source:
        """The source of a module that is imported now, the same as that of its neighbours."""
        importlib.invalidate_caches()  # it may have been installed a moment ago
        try:
            source = source_of(module)
        except NoSource as error:
            raise refused("not_importable", f"{module} cannot be imported: {error}.") from error
        known = self._sources.setdefault(source.package, source)
        if known.sha256 != source.sha256:
            message = f"{source.package} changed after this process began to import it."
            raise refused("source_changed", f"{message} Restart the workers.")
        try:
            _imported(module)
        finally:
            if source.package not in sys.modules:  # nothing of it stayed, so nothing is mixed
                del self._sources[source.package]
        return source


def as_promised(
    kind: type[dspy.Module], *, outputs: Iterable[str], wraps_result: bool
) -> type[dspy.Module]:
    """*kind*, whose instances return the promised *outputs*, ``None`` for what they left out.

    It keeps name and source, which optimizers read, and the paths of its predictors.
    """
    promised = tuple(outputs)

    def forward(self: Any, **inputs: Any) -> dspy.Prediction:
        return _prediction(kind.forward(self, **inputs), promised, wraps_result=wraps_result)

    made: type[dspy.Module] = types.new_class(
        kind.__name__,
        (kind,),
        exec_body=lambda names: names.update(
            forward=forward,
            __module__=kind.__module__,
            __qualname__=kind.__qualname__,
            __doc__=kind.__doc__,
        ),
    )
    return made


def allow(packages: Collection[str]) -> None:
    """Let programs of this process import modules from *packages*, and from no others.

    What was imported is a matter of the whole process, so this is, too.
    """
    _here.allowed = frozenset(packages)


def brought(import_path: str) -> Found:
    """The class or function at *import_path*, of a package that this process may import.

    Raises:
        ModuleRefused: See ``Packages.found``.
    """
    return _here.found(import_path)


def engine_of(import_path: str, *, api_base: str | None, api_key: str | None) -> Any:
    """The engine at *import_path*: a class, or a function, of ``api_base`` and ``api_key``.

    Raises:
        ModuleRefused: It cannot be imported, or cannot be made.
    """
    try:
        return brought(import_path).thing(api_base=api_base, api_key=api_key)
    except ModuleRefused:
        raise
    except Exception as error:
        message = f"{import_path} could not be made ({described(error)})."
        raise refused("constructor_failed", message) from error


def maker(spec: ModuleSpec, custom: Custom) -> Callable[..., dspy.Module]:
    """What makes the module of *spec* from the arguments of its constructor.

    Settings of model calls are those of *spec*, unless a predictor has its own.

    Raises:
        ProgramFailed: It cannot be imported, or its source is not the one that was probed.
    """
    try:
        imported = _here.imported(custom.import_path)
    except ModuleRefused as error:
        raise ProgramFailed(error.failure) from error
    _require_probed(imported.source, custom)
    outputs = [each.name for each in spec.signature.outputs]
    kind = as_promised(imported.kind, outputs=outputs, wraps_result=custom.wraps_result)

    def made(**arguments: Any) -> dspy.Module:
        try:
            module = kind(**arguments)
        except (Exception, SystemExit) as error:
            message = f"{custom.import_path} could not be built ({described(error)})."
            raise ProgramFailed(_failure("constructor_failed", message)) from error
        _require_same_predictors(module, custom)
        settings = {"temperature": spec.config.temperature, "max_tokens": spec.config.max_tokens}
        for predictor in module.predictors():
            predictor.config = {**settings, **predictor.config}
        return module

    return made


def predictor_found(path: str, predictor: dspy.Predict) -> PredictorFound:
    """What there is to know of *predictor*."""
    signature = predictor.signature
    return PredictorFound(
        path=str(mended(path)),
        inputs=tuple(signature.input_fields),
        outputs=tuple(signature.output_fields),
        instructions=str(mended(signature.instructions)),
    )


def refused(code: str, message: str) -> ModuleRefused:
    """The refusal ``module.<code>``."""
    return ModuleRefused(_failure(code, message))


def described(error: BaseException) -> str:
    """What *error* says, in one line and short."""
    said = " ".join(str(error).split())[:SHOWN]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _failure(code: str, message: str) -> Failure:
    return Failure(code=f"module.{code}", message=message)


def _require_probed(source: Source, custom: Custom) -> None:
    if source.sha256 != custom.source_sha256:
        message = (
            f"The source of {source.package} is {source.sha256[:12]} here, and was"
            f" {custom.source_sha256[:12]} when {custom.import_path} was probed. Install that one"
            " and restart the workers, or probe the new one for a new version."
        )
        raise ProgramFailed(_failure("source_changed", message))


def _require_same_predictors(module: dspy.Module, custom: Custom) -> None:
    found = tuple(predictor_found(*each) for each in module.named_predictors())
    if found != custom.predictors:
        message = (
            f"{custom.import_path} has other predictors here than when it was probed, though its"
            " source is the same. Install the libraries that were recorded, or probe it again."
        )
        raise ProgramFailed(_failure("predictors_changed", message))


def _imported(module: str) -> None:
    try:
        importlib.import_module(module)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        then = "Mend it, so that it can be imported in the workers' environment."
        message = f"{module} cannot be imported ({described(error)}). {then}"
        raise refused("not_importable", message) from error


def _prediction(
    returned: object, promised: tuple[str, ...], *, wraps_result: bool
) -> dspy.Prediction:
    given: Mapping[str, Any] = {}
    match returned:
        case dspy.Example():
            given = dict(returned.items())
        case Mapping():
            given = returned
        case None:
            pass
        case _ if wraps_result:
            given = {RESULT.name: str(returned)}
        case _:
            pass
    if isinstance(returned, dspy.Prediction) and all(name in given for name in promised):
        return returned
    return dspy.Prediction(**{**dict.fromkeys(promised), **given})


_NOT_ALLOWED = (
    "{path} is in no package that this worker may import. "
    "Name its package in STRATAL_MODULES of the workers, too."
)

_FROM_ELSEWHERE = (
    "{0} comes from {1.__module__}: its source is not that of the package. "
    "Extend it there, or name the package that it comes from."
)

_here = Packages(frozenset())
