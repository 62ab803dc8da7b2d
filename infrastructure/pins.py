"""What a version of a program depends on in this installation, found out without importing it."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from domain.program.values import Adapter, Pins

_LIBRARIES: Final = ("dspy", "pydantic", "json_repair")


def adapter_of(setting: str) -> Adapter:
    """How prompts are written for the model that *setting* (``STRATAL_LM``) names.

    Small local models are held to a JSON schema; all others read headings well.
    """
    return "json" if setting.partition(":")[0] == "local" else "chat"


def installed_dspy() -> str:
    """The version of DSPy that loads states here."""
    return version("dspy")


@dataclass(frozen=True, slots=True)
class InstalledPins:
    """``application.ports.Pinning`` of a service with one language model."""

    setting: str

    def pins(self) -> Pins:
        libraries = {name: version(name) for name in _LIBRARIES}
        return Pins(
            adapter=adapter_of(self.setting),
            libraries={"python": platform.python_version(), **libraries},
        )
