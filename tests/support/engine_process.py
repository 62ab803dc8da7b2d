"""A process with an engine that does as its input says; starts at once, for it has no DSPy.

``python -m tests.support.engine_process PARENT`` is what ``ProcessEngine`` starts.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from application.lm_ports import (
    CallJournal,
    Diverged,
    Forwarded,
    JsonObject,
    Missed,
    ModelChoice,
    OptimizedProgram,
    OptimizerJob,
    RunnableProgram,
)
from application.streaming import Piece
from application.tracing import NoTracing
from domain.module.values import ModuleSpec
from infrastructure.engines.serving import EngineServer
from tests.support.runs import answered, key

COMMAND: Final = (sys.executable, "-m", "tests.support.engine_process")
_MB: Final = 1024 * 1024


class ObedientEngine:
    """``message`` is a word and what it is about: ``hang``, ``eat 300``, ``die``, ``say 100`` …"""

    def __init__(self) -> None:
        self._eaten: list[bytearray] = []

    def configure(self, model: ModelChoice) -> None:
        if model.name == "unknown":
            raise LookupError("There is no such model.")

    def create_module(self, module: ModuleSpec) -> None:
        """Whatever it is."""

    def create_program(self, program: RunnableProgram) -> None:
        """Whatever it is."""

    def execute(
        self,
        program: RunnableProgram,
        inputs: JsonObject,
        journal: CallJournal,
        *,
        live: bool,
        within_s: float | None = None,
    ) -> JsonObject:
        word, _, about = str(inputs["message"]).partition(" ")
        match word:
            case "hang":
                time.sleep(3600)
            case "eat":
                self._eat(int(about))
                time.sleep(3600)
            case "grow":
                self._eat(int(about))
            case "die":
                os._exit(3)
            case "say":
                return {"queue": "x" * int(about)}
            case "left":
                return {"queue": str(within_s)}
            case "share":
                return {"queue": self._share(about, journal)}
            case "tell" | "ask":
                do = self._tell if word == "tell" else self._ask
                return {"queue": do(about, journal)}
            case "miss":
                raise Diverged(f"{about} is not there.", Missed(key(about), "answer", about))
            case _:
                pass
        return {"queue": str(os.getpid())}

    def forward(
        self, program: RunnableProgram, batch: Sequence[JsonObject], journal: CallJournal
    ) -> Sequence[Forwarded]:
        return [Forwarded(self.execute(program, it, journal, live=True), None) for it in batch]

    def optimize(
        self,
        job: OptimizerJob,
        journal: CallJournal,
        on_trial: Callable[[int, float, JsonObject], None],
    ) -> OptimizedProgram:
        on_trial(1, 0.5, {"found": True})
        return OptimizedProgram({"found": True}, 0.5)

    def pins(self, seed: int) -> dict[str, str]:
        return {"seed": str(seed)}

    def _eat(self, megabytes: int) -> None:
        self._eaten.append(bytearray(megabytes * _MB))
        for at in range(0, megabytes * _MB, 4096):
            self._eaten[-1][at] = 1

    def _ask(self, told: str, journal: CallJournal) -> str:
        """Ask for each of the words in *told*; ``die-once FILE`` among them ends the process."""
        for word in told.split():
            if word.startswith("die-once:"):
                self._die_once(Path(word.partition(":")[2]))
            elif journal.find(key(word)) is None:
                call, request, response = answered(word)
                journal.record(call, request, response)
        return told.split(maxsplit=1)[0]

    def _tell(self, word: str, journal: CallJournal) -> str:
        """Say *word* letter by letter, and whether anybody listens."""
        journal.audience.began(key(word), "answer")
        for number, text in enumerate(word):
            journal.audience.said(key(word), "answer", Piece("queue", number, text))
        return str(journal.audience.listens)

    def _share(self, word: str, journal: CallJournal) -> str:
        """Whose answer *word* has, or whether it was made."""
        if not journal.shares:
            return "alone"
        call, request, response = answered(word)
        if (found := journal.shared(key(word), within_s=10)) is not None:
            hit = call.model_copy(update={"attempts": 0, "filled_by": found.filled_by})
            journal.record(hit, request, response)
            return str(found.filled_by.id)
        journal.record(call, request, response)
        journal.settle(key(word), is_read=word != "unread")
        return "made"

    def _die_once(self, mark: Path) -> None:
        if not mark.exists():
            mark.touch()
            os._exit(9)


def main(parent: str) -> None:
    del parent  # its end of our stdin closes with it
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    EngineServer(ObedientEngine(), NoTracing(), sys.stdin.buffer, answers).run()


if __name__ == "__main__":
    main(sys.argv[1])
