"""States that were learned under another DSPy than the one that runs them now."""

from collections.abc import Iterator
from typing import Final

from application.lm_ports import RunnableProgram

OTHER_DSPY: Final = "state.other_dspy"
"""The code of the warning."""


def foreign_states(program: RunnableProgram, dspy: str | None) -> Iterator[str]:
    """In words, each state of *program*, and of those its tools call, that is not of *dspy*.

    Nothing is said where either version is not known.
    """
    learned = program.learned_under
    if learned is not None and dspy is not None and learned != dspy:
        yield (
            f"The state of {program.key.partition('#')[0]} was learned under DSPy {learned} and "
            f"runs under {dspy}, so its prompts and answers may differ. Optimize it again."
        )
    for each in program.programs.values():
        yield from foreign_states(each, dspy)
