"""What a version is said to depend on is what is installed, and how its model is asked."""

import platform
from importlib.metadata import version
from pathlib import Path

import pytest

from infrastructure.models.catalog import build_engine
from infrastructure.pins import InstalledPins, adapter_of


def test_the_pins_are_those_of_this_installation() -> None:
    pins = InstalledPins("local").pins()
    assert pins.adapter == "json"
    assert pins.libraries["dspy"] == version("dspy")
    assert pins.libraries["python"] == platform.python_version()


@pytest.mark.parametrize("kind", ["scripted:{}", "openai/gpt-4o-mini"])
def test_the_adapter_is_that_of_the_model(kind: str, tmp_path: Path) -> None:
    script = tmp_path / "model.json"
    script.write_text('{"default": {"reply": {}}}')
    setting = kind.format(script)
    model = build_engine(setting, api_base=None, api_key="key", home=tmp_path)
    assert adapter_of(setting) == model.adapter
