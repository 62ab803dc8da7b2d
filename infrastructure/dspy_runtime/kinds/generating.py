"""Hands the model a prompt as it stands, and gives its answer as it stands."""

from typing import Any

import dspy
from dspy import lm15

from domain.module.values import ModuleSpec
from infrastructure.dspy_runtime.kinds.building import Built, Place, settings
from infrastructure.dspy_runtime.recording import NODE_ID
from infrastructure.dspy_runtime.sharing import reading_answers, was_read

_WHOLE = "stop"


class Generate(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
    """Asks once for *output*; what the inputs do not say is as *usual*."""

    def __init__(self, node: str, output: str, **usual: Any) -> None:
        super().__init__()
        setattr(self, NODE_ID, node)
        self.output, self.usual = output, usual

    def forward(
        self,
        prompt: str,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> dspy.Prediction:
        told = {"temperature": temperature, "max_tokens": max_tokens}
        asked = {name: value for name, value in told.items() if value is not None}
        lm = dspy.settings.lm
        request = lm15.Request(
            model=lm.model,
            messages=(lm15.Message.user(prompt),),
            system=system,
            config=lm15.Config(**{**self.usual, **asked}),
        )
        with reading_answers():
            answer = lm(request)
            if answer.finish_reason == _WHOLE:
                was_read()
        return dspy.Prediction(**{self.output: answer.message.text or ""})


def built(place: Place, spec: ModuleSpec) -> Built:
    """``Generate`` with the settings of *spec*."""
    output, config = spec.signature.outputs[0].name, spec.config
    constructor = f"Generate({place.node_id!r}, {output!r}, {settings(config)})"
    return Built(constructor, {"Generate": Generate})
