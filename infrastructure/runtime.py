"""Puts the DSPy runtime together with its model: what workers and their children run on.

Importing this module imports DSPy.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from application.tracing import Tracing
from infrastructure.dspy_runtime import custom
from infrastructure.dspy_runtime.evaluator import DspyEvaluator
from infrastructure.dspy_runtime.interpreter import Limits
from infrastructure.dspy_runtime.optimizers import DspyOptimizers
from infrastructure.dspy_runtime.prober import ChildProber
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.catalog import build_engine
from infrastructure.settings import McpServerSettings, Settings
from infrastructure.tools.http import Secret
from infrastructure.tools.mcp import AddressServer, McpServer, ProcessServer
from infrastructure.tools.toolbox import WorkerToolbox


@dataclass(frozen=True, slots=True)
class DspyRuntime:
    """Runs, scores and optimizes programs on one model, and tries modules out."""

    runner: DspyRunner
    evaluator: DspyEvaluator
    optimizers: DspyOptimizers
    prober: ChildProber


def build_runtime(settings: Settings, tracing: Tracing) -> DspyRuntime:
    """The runtime on the model that the settings name; its weights load at the first call.

    Raises:
        ModelError: The setting cannot be used, or the model or its key is missing.
    """
    key = settings.lm_api_key
    model = build_engine(
        settings.lm,
        api_base=settings.lm_api_base,
        api_key=None if key is None else key.get_secret_value(),
        home=settings.home,
    )
    custom.allow(settings.module_packages)
    toolbox = _toolbox(settings)
    code = Limits() if settings.allow_code else None
    runner = DspyRunner(model, tracing, toolbox=toolbox, code=code)
    return DspyRuntime(
        runner,
        DspyEvaluator(runner, model),
        DspyOptimizers(runner, model),
        ChildProber(settings.module_packages),
    )


def _toolbox(settings: Settings) -> WorkerToolbox:
    secrets = {
        name: Secret(each.header, each.value.get_secret_value())
        for name, each in settings.secrets.items()
    }
    servers = {name: _server(each) for name, each in settings.servers.items()}
    return WorkerToolbox(settings.allowance, secrets, servers)


def _server(told: McpServerSettings) -> McpServer:
    if told.url is None:
        return ProcessServer(told.command, _revealed(told.environment))
    return AddressServer(told.url, _revealed(told.headers))


def _revealed(secrets: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in secrets.items()}
