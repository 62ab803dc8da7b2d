"""Every kind of module twice: as our data, and as somebody who knows DSPy writes it by hand."""

import json
import linecache
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import dspy
from dspy import lm15
from pydantic import JsonValue

from application.lm_ports import JsonObject, RunnableProgram
from application.tool_ports import OutsideTool
from domain.module.generation import GENERATE
from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.program.graph import single
from domain.program.rules import check
from domain.signature.fields import FieldSpec
from domain.signature.types import EnumOf, ListOf, Primitive
from domain.tool.values import Corpus, PythonTool
from infrastructure.dspy_runtime.interpreter import Limits
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound, spec
from tests.support.graphs import program, step

Reply = Mapping[str, JsonValue]
CORPUS = Corpus(dataset_id=UUID(int=3), field="text")
TEXTS = ("The Eiffel Tower is in Paris.", "Gustave Eiffel built it.", "It rains in London.")
ROWS: Sequence[JsonObject] = (
    {"question": "Is Paris big?", "answer": "yes", "source": "x"},
    {"question": "Does it rain in London?", "answer": "yes", "source": "x"},
    {"question": "Is the Eiffel Tower in Rome?", "answer": "no", "source": "x"},
    {"question": "Who was Gustave Eiffel?", "answer": "unsure", "source": "x"},
)
DATASET = UUID(int=4)
SIGNATURE = spec(
    (FieldSpec(name="question", description="What somebody asks"),),
    {"answer": EnumOf(values=("yes", "no", "unsure"))},
    "Answer the question.",
)
LOOK = PythonTool(
    name="look",
    description="Look a thing up.",
    entry_point="shop.tools:look",
    arguments=(FieldSpec(name="thing"),),
)


class HandSignature(dspy.Signature):  # type: ignore[misc]  # DSPy ships no types
    """Answer the question."""

    question: str = dspy.InputField(desc="What somebody asks")
    answer: Literal["yes", "no", "unsure"] = dspy.OutputField()


HandSignature.__name__ = "Solve"


def look(thing: str) -> str:
    """Look a thing up."""
    return f"{thing} is tall."


class Shelf:
    """A toolbox with the one tool that agents here have."""

    def call(self, tool: OutsideTool, arguments: JsonObject) -> JsonValue:
        assert tool == LOOK
        return look(str(arguments["thing"]))


class Told(FakeEngine):
    """Answers with the first of *replies* whose text the messages hold, in the form asked for."""

    def __init__(self, *replies: tuple[str, Reply]) -> None:
        super().__init__()
        self._replies = replies

    def answer(self, request: lm15.Request) -> str:
        last = request.messages[-1].text or ""
        seen = repr(request.messages)
        said = next(reply for text, reply in self._replies if text in seen)
        if "Respond with a JSON object in" in last:
            return json.dumps(said)
        return "".join(f"[[ ## {name} ## ]]\n{_spoken(it)}\n\n" for name, it in said.items()) + (
            "[[ ## completed ## ]]"
        )


def _spoken(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


THOUGHT: Reply = {"reasoning": "It is tall.", "answer": "yes"}
ACT: Reply = {
    "next_thought": "I look.",
    "next_tool_name": "look",
    "next_tool_args": {"thing": "tower"},
}
FINISH: Reply = {"next_thought": "I know.", "next_tool_name": "finish", "next_tool_args": {}}
CODE: Reply = {
    "reasoning": "It is a sum.",
    "generated_code": "```python\nSUBMIT({'answer': 'yes'})\n```",
}
BROKEN: Reply = {"reasoning": "It is a sum.", "generated_code": "```python\nhalf = 1 / 0\n```"}
REPLIES: dict[str, Sequence[tuple[str, Reply]]] = {
    "react": (
        ("`reasoning", THOUGHT),
        ("## reasoning", THOUGHT),
        ("observation_0", FINISH),
        ("", ACT),
    ),
    "react_v2": (
        (
            "is tall",
            {
                "next_thought": "I know.",
                "tool_calls": {"tool_calls": [{"name": "submit", "args": {"answer": "yes"}}]},
            },
        ),
        (
            "",
            {
                "next_thought": "I look.",
                "tool_calls": {"tool_calls": [{"name": "look", "args": {"thing": "tower"}}]},
            },
        ),
    ),
    "program_of_thought": (("code_output", THOUGHT), ("ZeroDivisionError", CODE), ("", BROKEN)),
    "code_act": (
        ("`reasoning", THOUGHT),
        ("## reasoning", THOUGHT),
        ("is tall", {"generated_code": "```python\nprint('so')\n```", "finished": True}),
        (
            "",
            {"generated_code": "```python\nprint(look(thing='tower'))\n```", "finished": False},
        ),
    ),
    "rlm": (
        ("is tall", {"reasoning": "I know.", "code": "```python\nSUBMIT('yes')\n```"}),
        ("", {"reasoning": "I look.", "code": "```python\nprint(look(thing='tower'))\n```"}),
    ),
    "refine": (
        ("program_code", {"discussion": "It was wrong.", "advice": {"self": "Say no."}}),
        ("hint_", {"reasoning": "As I was told.", "answer": "no"}),
        ("", THOUGHT),
    ),
    "multi_chain_comparison": (
        ("reasoning_attempt_1", {"rationale": "All say so.", "answer": "yes"}),
        ("", THOUGHT),
    ),
}
"""What a model says to a module of a kind; to the others it says ``THOUGHT``."""

PARAMETERS: dict[str, Mapping[str, Any]] = {
    "react": {"tools": [LOOK]},
    "react_v2": {"tools": [LOOK]},
    "code_act": {"tools": [LOOK]},
    "rlm": {"tools": [LOOK], "max_iterations": 4, "max_llm_calls": 3},
    "best_of_n": {"n": 2, "reward": {"kind": "equals", "field": "answer", "value": "no"}},
    "refine": {"n": 2, "reward": {"kind": "equals", "field": "answer", "value": "no"}},
    "multi_chain_comparison": {"chains": 2},
    "retrieve": {"corpus": CORPUS, "k": 2},
}


REWARD = """\
def solve_reward(inputs, outputs):
    return float(outputs.answer == 'no')
"""


def by_hand() -> dict[str, Callable[[], dspy.Module]]:
    """The modules of all kinds that DSPy has, with the parameters above and our defaults."""
    once, thinking = (
        {"temperature": it.temperature, "max_tokens": it.max_tokens}
        for it in (DEFAULTS[ModuleKind.PREDICT], DEFAULTS[ModuleKind.REACT])
    )

    def configured(module: dspy.Module) -> dspy.Module:
        for predictor in module.predictors():
            predictor.config.update(thinking)
        return module

    solve_reward = _function(REWARD)

    def thought() -> dspy.Module:
        return dspy.ChainOfThought(HandSignature, **thinking)

    return {
        "predict": lambda: dspy.Predict(HandSignature, **once),
        "chain_of_thought": thought,
        "react": lambda: configured(dspy.ReAct(HandSignature, [look], max_iters=5)),
        "react_v2": lambda: configured(dspy.ReActV2(HandSignature, [look], max_iters=5)),
        "program_of_thought": lambda: configured(dspy.ProgramOfThought(HandSignature)),
        "code_act": lambda: configured(dspy.CodeAct(HandSignature, [look], max_iters=5)),
        "rlm": lambda: configured(
            dspy.RLM(HandSignature, max_iters=4, max_llm_calls=3, tools=[look])
        ),
        "best_of_n": lambda: dspy.BestOfN(thought(), 2, solve_reward, 1.0),
        "refine": lambda: dspy.Refine(thought(), 2, solve_reward, 1.0),
        "multi_chain_comparison": lambda: _Compared(
            thought(), dspy.MultiChainComparison(HandSignature, M=2, **thinking)
        ),
    }


def _function(text: str) -> Callable[[Any, Any], float]:
    """The function in *text*, whose source can be found as if it stood in a file."""
    file = "<handwritten>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    namespace: dict[str, Any] = {}
    exec(compile(text, file, "exec"), namespace)
    function: Callable[[Any, Any], float] = namespace["solve_reward"]
    return function


class _Compared(dspy.Module):  # type: ignore[misc]  # DSPy ships no types
    def __init__(self, chain: dspy.Module, compare: dspy.Module) -> None:
        super().__init__()
        self.chain, self.compare = chain, compare

    def forward(self, question: str) -> dspy.Prediction:
        chains = [
            self.chain(question=question, config={"rollout_id": number}) for number in range(2)
        ]
        return self.compare(chains, question=question)


def as_data(kind: str, **changed: Any) -> RunnableProgram:
    """The program of one module of *kind*, called ``solve``."""
    if kind == ModuleKind.GENERATE:  # its input has a name of its own
        asks = step("solve", GENERATE, prompt="question")
        return RunnableProgram(
            f"{kind}@1", program("question -> answer", asks, answer="solve.text"), None
        )
    signature = (
        spec("question", {"passages": ListOf(item=Primitive(name="string"))})
        if kind == "retrieve"
        else SIGNATURE
    )
    config = DEFAULTS[ModuleKind(kind)].model_copy(update=changed.pop("config", {}))
    parameters = {**PARAMETERS.get(kind, {}), **changed} or None
    module = ModuleSpec.model_validate(
        {"kind": kind, "signature": signature, "config": config, "parameters": parameters}
    )
    return RunnableProgram(
        f"{kind}@1",
        check(single(module, node_id="solve")),
        None,
        corpora={CORPUS: TEXTS},
        examples={DATASET: ROWS},
    )


def runner(kind: str, *replies: tuple[str, Reply], adapter: str = "chat") -> DspyRunner:
    """A runner whose model says what is said to *kind*, or *replies*; code may run."""
    said = replies or REPLIES.get(kind, (("", THOUGHT),))
    engine = Told(*said)
    return DspyRunner(bound(engine, adapter=adapter), toolbox=Shelf(), code=Limits())


QUESTION = "Is the Eiffel Tower tall?"


def run(
    kind: str, *replies: tuple[str, Reply], adapter: str = "chat", **changed: Any
) -> tuple[dict[str, JsonValue], MemoryJournal]:
    """What the module of *kind* answers, and the journal of that."""
    journal = MemoryJournal()
    program = as_data(kind, **changed)
    outputs = runner(kind, *replies, adapter=adapter).run(
        program, {"question": QUESTION}, journal, live=True
    )
    return dict(outputs), journal
