"""Every engine, held to the one contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from application.lm_ports import ModelChoice
from infrastructure.dspy_runtime.engine import DspyEngine
from infrastructure.engines.native.engine import NativeEngine
from infrastructure.engines.pool import ProcessEngine
from infrastructure.engines.processes import Bounds
from infrastructure.engines.scripted import Rule, Script, ScriptedEngine
from infrastructure.models.catalog import build_engine
from tests.contracts.engine import ANSWER, EngineContract


class TestDspyInProcess(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, choice: ModelChoice) -> DspyEngine:
        engine = DspyEngine(
            lambda it: build_engine(
                it.name, api_base=it.api_base, api_key=it.api_key, home=Path("nowhere")
            )
        )
        engine.configure(choice)
        return engine


class TestDspyInProcessesOfItsOwn(EngineContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, choice: ModelChoice) -> Iterator[ProcessEngine]:
        engine = ProcessEngine(Bounds(processes=1))
        engine.configure(choice)
        yield engine
        engine.close()


class TestNative(EngineContract):
    optimizes = False

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, choice: ModelChoice) -> Iterator[NativeEngine]:
        engine = NativeEngine()
        engine.configure(choice)
        yield engine
        engine.close()


class TestScripted(EngineContract):
    asks_a_model = False

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> ScriptedEngine:
        return ScriptedEngine(Script(default=Rule(outputs=dict(ANSWER))))
