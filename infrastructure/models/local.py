"""A GGUF model in this very process, through llama.cpp: no server to start, no key, no network."""

import importlib
import os
import threading
from pathlib import Path
from typing import Any, Final

from dspy import lm15

from infrastructure.models.binding import ModelIsMissing

CONTEXT_TOKENS: Final = 8192
DEFAULT_MAX_TOKENS: Final = 512

# Threads that wait for each other must sleep: two that spin collapse when the CPU is shared.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


class LocalEngine:
    """The model at *path*, loaded at the first call (about 0.3 s) and shared by all threads.

    One slot, so calls queue and the same request repeated has the same answer. The beginning that
    prompts share is evaluated once: with a dozen demos in front this saves nine tenths of the time.
    A K-quantized model may answer differently now and then depending on what was asked before; what
    it answered is on record, and no replay asks it again.
    """

    supports_response_schema = True
    seeded = True
    supported_params = frozenset(
        {"temperature", "max_tokens", "top_p", "stop", "seed", "response_format"}
    )

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        self._path = path
        self._threads = threads or max(1, min(4, os.cpu_count() or 1))
        self._lock = threading.Lock()
        self._server: Any = None

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Answer *request*.

        Raises:
            lm15.ContextLengthError: Prompt and answer do not fit into the context.
            lm15.InvalidRequestError: The model cannot be asked this.
        """
        server = self._loaded()
        try:
            answer = server.handle_chat_completions({**_body(request), "cache_prompt": True})
        except (ValueError, RuntimeError) as error:  # a schema or template it cannot follow
            raise lm15.InvalidRequestError(str(error), provider="local") from error
        if "error" in answer:
            raise _refusal(answer["error"])
        return _response(request.model, answer)

    def close(self) -> None:
        """Free the model's memory; the next call loads it again."""
        with self._lock:
            self._server = None

    def _loaded(self) -> Any:
        with self._lock:
            if self._server is None:
                self._server = _load(self._path, self._threads)
            return self._server


def _load(path: Path, threads: int) -> Any:
    try:
        llama = importlib.import_module("xllamacpp")
    except ImportError as error:
        raise ModelIsMissing(
            "The runtime of the local models is not installed. Run `make setup`, or "
            "`pip install 'stratal[local]'`."
        ) from error
    wanted = llama.CommonParams()
    wanted.model.path = str(path)
    wanted.n_ctx = CONTEXT_TOKENS
    wanted.n_parallel = 1
    wanted.verbosity = -1
    wanted.ui = False
    wanted.offline = True
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = threads
    # The library insists on listening: on the loopback, on a port that the system picks.
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = 0
    return llama.Server(wanted)


def _body(request: lm15.Request) -> dict[str, Any]:
    config = request.config
    body: dict[str, Any] = {
        "messages": _messages(request),
        "temperature": config.temperature or 0.0,
        "max_tokens": min(config.max_tokens or DEFAULT_MAX_TOKENS, CONTEXT_TOKENS // 2),
        "seed": 0 if config.seed is None else config.seed,
    }
    if config.top_p is not None:
        body["top_p"] = config.top_p
    if config.stop:
        body["stop"] = list(config.stop)
    if config.response_format:
        body["response_format"] = _format(dict(config.response_format))
    return body


def _messages(request: lm15.Request) -> list[dict[str, str]]:
    system = request.system
    if system and not isinstance(system, str):
        system = "".join(part.text for part in system)
    head = [{"role": "system", "content": system}] if system else []
    if any(message.text is None for message in request.messages):
        said = "The local models read text alone. Choose a model that takes this content."
        raise lm15.InvalidRequestError(said, provider="local")
    return [*head, *({"role": m.role, "content": m.text} for m in request.messages)]


def _format(wanted: dict[str, Any]) -> dict[str, Any]:
    if "schema" not in wanted:
        return {"type": "json_object"}
    kept = {key: wanted[key] for key in ("name", "schema", "strict") if key in wanted}
    return {"type": "json_schema", "json_schema": kept}


def _response(model: str, answer: dict[str, Any]) -> lm15.Response:
    choice, usage = answer["choices"][0], answer["usage"]
    return lm15.Response(
        id=answer["id"],
        model=model,
        message=lm15.Message.assistant(choice["message"]["content"] or ""),
        finish_reason="length" if choice["finish_reason"] == "length" else "stop",
        usage=lm15.Usage(
            input_tokens=usage["prompt_tokens"], output_tokens=usage["completion_tokens"]
        ),
    )


def _refusal(error: dict[str, Any]) -> lm15.LM15Error:
    message = str(error.get("message", "The local model refused the request."))
    kind = lm15.InvalidRequestError
    if "context" in message:
        kind = lm15.ContextLengthError
    return kind(message, provider="local", status=error.get("code"))
