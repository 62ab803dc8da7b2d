"""Classes that import well and break a promise each."""

import itertools
import os
import random
import signal
import threading
import time

import dspy

_COUNTER = itertools.count()


class Answering(dspy.Module):
    """What the others spoil."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.answer(question=question)


class NotAModule:
    """No ``dspy.Module``."""


class Loops(Answering):
    def __init__(self) -> None:
        super().__init__()
        while True:
            time.sleep(0.01)


class Hoards(Answering):
    def __init__(self) -> None:
        super().__init__()
        self.hoard = [bytearray(1024**3) for _ in range(64)]


class Dies(Answering):
    def __init__(self) -> None:
        super().__init__()
        os.kill(os.getpid(), signal.SIGSEGV)


class Leaves(Answering):
    def __init__(self) -> None:
        super().__init__()
        os._exit(0)


class Wants(Answering):
    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


class Hides(Answering):
    def __init__(self) -> None:
        super().__init__()
        self.steps = [[dspy.Predict("question -> answer")]]


class Freezes(Answering):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Answering()
        self.inner._compiled = True


class HoldsAModel(Answering):
    def __init__(self) -> None:
        super().__init__()
        self.answer.lm = dspy.LM("openai/gpt-4o-mini", api_key="none")


class Rolls(Answering):
    def __init__(self) -> None:
        super().__init__()
        told = f"Answer number {random.random()} of {next(_COUNTER)}."
        self.answer.signature = self.answer.signature.with_instructions(told)


class Shares(Answering):
    """A copy of it is itself."""

    def __deepcopy__(self, memo: dict[int, object]) -> "Shares":
        return self


class Stubborn(Answering):
    """Its predictor forgets every instruction that it is given."""

    class Deaf(dspy.Predict):
        def __setattr__(self, name: str, value: object) -> None:
            if name != "signature" or "signature" not in self.__dict__:
                super().__setattr__(name, value)

    def __init__(self) -> None:
        super().__init__()
        self.answer = self.Deaf("question -> answer")


class Fails(Answering):
    def forward(self, question: str) -> dspy.Prediction:
        raise ValueError(f"No passage is about {question}.")


class Forgets(Answering):
    def forward(self, question: str) -> dspy.Prediction:
        self.answer(question=question)
        return dspy.Prediction(reply="forgotten")


class Async(dspy.Module):
    """Has no forward."""

    async def aforward(self, question: str) -> dspy.Prediction:
        return dspy.Prediction(answer=question)


class Wavers(Answering):
    """Asks something else each time."""

    def forward(self, question: str) -> dspy.Prediction:
        return self.answer(question=f"{question} {next(_COUNTER)}")


class Peeks(Answering):
    """Tells what it sees of the service's secrets."""

    def __init__(self) -> None:
        super().__init__()
        seen = sorted(name for name in os.environ if name.startswith("STRATAL_"))
        told = f"Seen: {seen}."
        self.answer.signature = self.answer.signature.with_instructions(told)


class Lingers(Answering):
    """Leaves a thread behind that never ends."""

    def __init__(self) -> None:
        super().__init__()
        threading.Thread(target=time.sleep, args=(3600,)).start()


class Odd(dspy.Module):
    """Odd, yet in order: it holds what is no predictor, and its predictor in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.os, self.clock, self.kind = os, time.monotonic, Answering
        self.named = {"flat": dspy.Predict("question -> answer")}

    def forward(self, question: str) -> dspy.Prediction:
        return self.named["flat"](question=question)
