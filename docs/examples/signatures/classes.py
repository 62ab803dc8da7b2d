"""The three signatures of the papers as Python classes."""

from domain.signature.classes import Input, Output, Signature


class BasicQA(Signature):
    question: str = Input("The question to answer")
    answer: str = Output("The answer to the question")


class ChainOfThoughtQA(Signature):
    question: str = Input("The question to answer")
    context: str = Input("Optional context", optional=True)
    reasoning: str = Output("Step-by-step reasoning")
    answer: str = Output("Final answer")


class RAG(Signature):
    question: str = Input()
    passages: list[str] = Input("Retrieved passages")
    answer: str = Output()
    citations: list[int] = Output("Passage indices used")
