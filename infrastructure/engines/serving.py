"""The side that carries out: an engine answers the six words, its journal is on the other side."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import IO, Final, cast
from uuid import uuid4

from pydantic import JsonValue, TypeAdapter

from application.context import Context, within
from application.lm_ports import Engine, JsonObject, ModelChoice, RunnableProgram, SharedAnswer
from application.payloads import Payload
from application.streaming import NOBODY, Audience, Piece
from application.tracing import Tracing
from domain.module.values import ModuleSpec
from domain.values import Digest, LmCall, ToolCall
from infrastructure.engines import wire
from infrastructure.engines.channel import AskingFailed, Channel, Params
from infrastructure.engines.frames import MAX_FRAME_BYTES

KEPT_PROGRAMS: Final = 64


class RemoteJournal:
    """The journal of run number *run*, which is kept by the other side of *channel*."""

    def __init__(self, channel: Channel, run: int, *, shares: bool, listens: bool) -> None:
        self._channel, self._run, self._shares = channel, run, shares
        self.audience: Audience = _RemoteAudience(self._ask) if listens else NOBODY

    @property
    def shares(self) -> bool:
        """Whether answers come from the cache of the other side and go there."""
        return self._shares

    def shared(self, key: Digest, *, within_s: float) -> SharedAnswer | None:
        """What an equal call of another run was answered, as the other side knows."""
        return wire.shared_of(self._ask("shared", {"key": key, "within_s": within_s}))

    def settle(self, key: Digest, *, is_read: bool) -> None:
        """Let the other side have the answer to *key*, if it could be read."""
        self._ask("settle", {"key": key, "is_read": is_read})

    def find(self, key: Digest) -> JsonObject | None:
        """The recorded response to *key*, or ``None`` when the call was never made."""
        return cast("JsonObject | None", self._ask("find", {"key": key}))

    def record(self, call: LmCall, request: Payload, response: Payload | None) -> None:
        """Book *call* on the other side.

        Raises:
            RunStopped: The run was cancelled or taken over meanwhile.
        """
        self._ask("record", wire.call_json(call, request, response))

    def record_tool_call(self, call: ToolCall, arguments: Payload, result: Payload) -> None:
        """Book *call* on the other side.

        Raises:
            RunStopped: The run was cancelled or taken over meanwhile.
        """
        self._ask("record_tool_call", wire.call_json(call, arguments, result))

    def trial(self, number: int, score: float, state: JsonObject) -> None:
        """Report a trial to the other side."""
        self._ask("trial", {"number": number, "score": score, "state": dict(state)})

    def _ask(self, word: str, params: Params) -> JsonValue:
        try:
            return self._channel.ask(word, {"run": self._run, **params})
        except AskingFailed as failed:
            raise wire.error_of(failed) from None


class _RemoteAudience:
    """Whoever follows the run on the other side, which is told one thing after the other."""

    listens = True

    def __init__(self, ask: Callable[[str, Params], object]) -> None:
        self._ask = ask

    def began(self, call: Digest, node: str) -> None:
        """Have the other side tell that *node* asks a model."""
        self._ask("began", {"call": call, "node": node})

    def said(self, call: Digest, node: str, piece: Piece) -> None:
        """Have the other side tell what the model said."""
        self._ask("said", {"call": call, "node": node, "piece": list(piece)})


class EngineServer:
    """Has *engine* answer what comes by two pipes, until the other side is gone."""

    def __init__(
        self,
        engine: Engine,
        tracing: Tracing,
        reader: IO[bytes],
        writer: IO[bytes],
        *,
        most: int = MAX_FRAME_BYTES,
    ) -> None:
        self._engine, self._tracing = engine, tracing
        self._channel = Channel(reader, writer, self._serve, wire.error_json, most=most)
        self._programs: OrderedDict[str, RunnableProgram] = OrderedDict()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Serve until the other side closes its pipe."""
        self._channel.listen()

    def _serve(self, word: str, told: Params) -> JsonValue:
        traceparent = cast("str | None", told.get("traceparent"))
        of = Context(tenant=str(told.get("tenant", "")), actor="engine", correlation_id=uuid4())
        with within(of), self._tracing.continued(traceparent, f"engine {word}"):
            return WORDS[word](self, told)

    def configure(self, told: Params) -> JsonValue:
        self._engine.configure(_MODEL.validate_python(told["model"]))
        return None

    def create_module(self, told: Params) -> JsonValue:
        self._engine.create_module(ModuleSpec.model_validate(told["module"]))
        return None

    def create_program(self, told: Params) -> JsonValue:
        program = wire.ProgramOnTheWire.model_validate(told["program"]).runnable()
        self._engine.create_program(program)
        with self._lock:
            self._programs[program.key] = program
            while len(self._programs) > KEPT_PROGRAMS:
                self._programs.popitem(last=False)
        return None

    def execute(self, told: Params) -> JsonValue:
        outputs = self._engine.execute(
            self._program(told),
            cast("JsonObject", told["inputs"]),
            self._journal(told),
            live=bool(told["live"]),
            within_s=cast("float | None", told["within_s"]),
        )
        return dict(outputs)

    def forward(self, told: Params) -> JsonValue:
        batch = cast("list[JsonObject]", told["batch"])
        answers = self._engine.forward(self._program(told), batch, self._journal(told))
        return wire.forwarded_json(answers)

    def optimize(self, told: Params) -> JsonValue:
        journal = self._journal(told)
        job = wire.job_of(self._program(told), cast("Params", told["job"]))
        return wire.optimized_json(self._engine.optimize(job, journal, journal.trial))

    def pins(self, told: Params) -> JsonValue:
        return dict(self._engine.pins(cast("int", told["seed"])))

    def _journal(self, told: Params) -> RemoteJournal:
        run, shares = cast("int", told["run"]), bool(told.get("shares"))
        listens = bool(told.get("listens"))
        return RemoteJournal(self._channel, run, shares=shares, listens=listens)

    def _program(self, told: Params) -> RunnableProgram:
        with self._lock:
            program = self._programs.get(str(told["program"]))
            if program is None:
                raise wire.ProgramIsUnknown
            self._programs.move_to_end(program.key)
        read = wire.read_with(program, told.get("reading"))
        return wire.on_model(read, told.get("model"))


_MODEL: Final = TypeAdapter(ModelChoice)

WORDS: Final[Mapping[str, Callable[[EngineServer, Params], JsonValue]]] = MappingProxyType(
    {
        "configure": EngineServer.configure,
        "create_module": EngineServer.create_module,
        "create_program": EngineServer.create_program,
        "execute": EngineServer.execute,
        "forward": EngineServer.forward,
        "optimize": EngineServer.optimize,
        "pins": EngineServer.pins,
    }
)
"""What an engine may be asked for."""
