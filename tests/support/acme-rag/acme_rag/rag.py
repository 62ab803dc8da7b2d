"""Retrieval-augmented generation, and a module that returns mere text."""

import dspy

from acme_rag.passages import nearest


class MyRAG(dspy.Module):
    """Answers from passages that it looks up itself."""

    def __init__(self, k: int = 2) -> None:
        super().__init__()
        self.k = k
        self.rewrite = dspy.Predict("question -> query")
        self.generate = dspy.ChainOfThought("context: list[str], question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        query = self.rewrite(question=question).query
        return self.generate(context=nearest(f"{query} {question}", self.k), question=question)


class Shout(dspy.Module):
    """Promises no outputs: it returns a string."""

    def __init__(self) -> None:
        super().__init__()
        self.say = dspy.Predict("question -> answer")

    def forward(self, question: str) -> str:
        return self.say(question=question).answer.upper()


class Facts(dspy.Module):
    """Returns a dictionary, and asks no model."""

    def forward(self, question: str) -> dict[str, object]:
        return {"facts": nearest(question, 1), "extra": 1}
