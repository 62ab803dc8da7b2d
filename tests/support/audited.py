"""What Python runs and imports while a program is full of texts that would like to be code.

``python -m tests.support.audited`` prints it as JSON: a hook cannot be taken away again, so it
lives in a process of its own.
"""

import json
import sys
from types import CodeType
from typing import Any

from domain.errors import InvalidError
from domain.module.values import DEFAULTS, ModuleKind, ModuleSpec
from domain.probe.errors import PackageIsNotAllowed
from domain.probe.rules import require_allowed
from domain.program.graph import single
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.syntax import parse

HOSTILE = "stratal_hostile"
TEXT = f"__import__('{HOSTILE}').run()"


def hostile_spec(text: str) -> ModuleSpec:
    """A module that says *text* wherever a person may say something."""
    signature = SignatureSpec(
        inputs=(
            FieldSpec(name="question", description=text),
            FieldSpec(name="hint", optional=True, has_default=True, default=text),
        ),
        outputs=(FieldSpec(name="answer", description=text),),
        instructions=text,
    )
    kind = ModuleKind.CHAIN_OF_THOUGHT
    demos = ({"question": text, "answer": text},)
    return ModuleSpec(
        kind=kind,
        signature=signature,
        config=DEFAULTS[kind].model_copy(update={"demos": demos}),
    )


def ran(text: str) -> dict[str, Any]:
    """The outputs of a program made of *text*, whose model also says *text*."""
    from application.lm_ports import RunnableProgram
    from infrastructure.dspy_runtime.runtime import DspyRunner
    from infrastructure.models.answers import answer_text
    from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound

    class Saying(FakeEngine):
        def answer(self, request: Any) -> str:
            said = {"reasoning": text, "answer": text}
            return answer_text(request.messages[-1].text or "", said, seed="0a" * 32)

    program = RunnableProgram(text, single(hostile_spec(text)), None)
    outputs = DspyRunner(bound(Saying())).run(
        program, {"question": text}, MemoryJournal(), live=True
    )
    return dict(outputs)


def refused() -> list[str]:
    """The codes with which texts are refused that are no signature and no allowed module."""
    codes: list[str] = []
    for text in (f"q -> a: {HOSTILE}.Kind", f"q -> a = {TEXT}", TEXT):
        try:
            parse(text)
        except InvalidError as error:
            codes.append(error.code)
    try:
        require_allowed(f"{HOSTILE}:run", ())
    except PackageIsNotAllowed as error:
        codes.append(error.code)
    return codes


def main() -> None:
    """Warm up with a harmless text, then listen."""
    ran("Why?")
    heard: dict[str, list[str]] = {"exec": [], "import": [], "pickle.find_class": []}

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in heard:
            return
        first = arguments[0]
        heard[event].append(first.co_filename if isinstance(first, CodeType) else str(first))

    sys.addaudithook(hook)
    outputs, codes = ran(TEXT), refused()
    sys.stdout.write(json.dumps({**heard, "outputs": outputs, "codes": codes}))


if __name__ == "__main__":
    main()
