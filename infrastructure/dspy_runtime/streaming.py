"""One try at a model, told while it goes on where anybody wants to hear it and the model can."""

from dspy import lm15
from dspy._vendor.lm15.result import StreamAccumulator

from application.streaming import Telling
from infrastructure.dspy_runtime.model import Engine


def answer_of(engine: Engine, request: lm15.Request, telling: Telling | None) -> lm15.Response:
    """What *engine* answers to *request*: the same whether or not anybody hears it come.

    Raises:
        lm15.LM15Error: The attempt failed, also in the middle; what was told is of no use then.
    """
    stream = None if telling is None else getattr(engine, "stream", None)
    if telling is None or stream is None:
        return engine.complete(request)
    telling.again()
    answer = StreamAccumulator(request)
    for event in stream(request):
        answer.push(event)
        if event.type == "delta" and event.delta.type == "text":
            telling.heard(event.delta.text)
    return answer.response()
