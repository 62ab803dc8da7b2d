"""The providers' own interfaces, through clients that DSPy carries: one attempt, no LiteLLM."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from time import monotonic
from typing import Any, Final

import dspy
from dspy import lm15
from dspy._vendor.lm15.registry import lookup
from dspy._vendor.lm15.router import LITELLM_PROVIDER_PREFIXES
from dspy._vendor.lm15.transports import ConnectTimeout, ReadTimeout, WriteTimeout
from dspy.clients.capabilities import capabilities
from dspy.clients.costs import estimate_cost
from dspy.clients.engines.lm15_engine import LM15Engine

from application.deadlines import ending_at, ends_s
from infrastructure.models.binding import ModelBinding, ModelKeyIsMissing, ModelSettingIsInvalid
from infrastructure.models.transport import AnswerIsTooLarge, BoundedTransport, MayAsk

CONCURRENCY: Final = 8
ATTEMPT_S: Final = 60.0
IDLE_S: Final = 20.0
"""A stream that has begun and then says nothing for so long is stuck."""


class NativeEngine:
    """DSPy's one-attempt engine with an explicit key; its errors never repeat that key."""

    seeded = False

    def __init__(
        self,
        model: str,
        *,
        provider: str,
        api_base: str | None,
        api_key: str | None,
        may_ask: MayAsk | None = None,
    ):
        can = capabilities(dspy.LM(model, api_key="unused", cache=False))
        self.supports_response_schema = bool(can.response_schema)
        self.supports_function_calling = bool(can.function_calling)
        self.supported_params = frozenset(can.params)
        self._secret = api_key
        self._inner = LM15Engine(
            lm15.RouterConfig(
                env={},  # a key of the environment is somebody else's
                api_keys=None if api_key is None else {provider: api_key},
                base_urls=None if api_base is None else {provider: api_base},
                transport=BoundedTransport(
                    name=provider,
                    may_ask=may_ask,
                    connect_timeout=10.0,
                    read_timeout=ATTEMPT_S,
                    max_connections=64,
                ),
            )
        )

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Ask the provider once, for a minute at most, or until ``deadlines.ends_s``.

        Raises:
            lm15.LM15Error: It refused, failed, said what is no answer, or could not be reached.
        """
        with self._typed(), ending_at(_attempt_ends_s()):
            return self._inner.complete(request)

    def stream(self, request: lm15.Request) -> Iterator[Any]:
        """The same while it comes, as events of ``dspy.lm15``; a stream that falls silent is left.

        Raises:
            lm15.LM15Error: As above, or nothing was said for as long as a stream may be silent;
                what only keeps a connection open says nothing.
        """
        attempt_ends = silent_until = _attempt_ends_s()
        try:
            with self._typed():
                events = iter(self._inner.stream(request))
                while True:
                    with ending_at(silent_until):
                        if (event := next(events, None)) is None:
                            return
                    yield event
                    silent_until = min(attempt_ends, monotonic() + IDLE_S)
        except lm15.TimeoutError as error:
            if silent_until == attempt_ends:
                raise
            stuck = f"The answer had begun, and nothing more of it came for {IDLE_S:g} s."
            raise lm15.TimeoutError(stuck) from error

    @contextmanager
    def _typed(self) -> Iterator[None]:
        """Have every error be one that says what went wrong, and never what the key is."""
        try:
            yield
        except lm15.LM15Error as error:
            told = _told(error)
            if self._secret and self._secret in told.message:
                told.message = told.message.replace(self._secret, "••••")
                told.args = (told.message,)
            raise told from error.__cause__
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            # JSON, but not what the provider's interface promises.
            raise lm15.ProviderError(f"The answer is malformed: {error}", status=200) from error

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def bind(
    model: str, *, api_base: str | None, api_key: str | None, may_ask: MayAsk | None = None
) -> ModelBinding:
    """The provider's model named by *model*, such as ``openai/gpt-4o-mini``.

    Raises:
        ModelSettingIsInvalid: No provider of that name is known.
        ModelKeyIsMissing: The provider needs a key and none was given.
    """
    try:
        resolution = LM15Engine(lm15.RouterConfig(env={})).resolve(model)
    except lm15.LM15Error as error:
        raise ModelSettingIsInvalid(_unknown(model)) from error
    definition = lookup(resolution.provider)
    if api_key is None and (definition is None or definition.placeholder_key is None):
        raise ModelKeyIsMissing(model)
    engine = NativeEngine(
        model,
        provider=resolution.provider,
        api_base=api_base,
        api_key=api_key,
        may_ask=may_ask,
    )

    def cost_of(response: lm15.Response) -> Decimal | None:
        if api_base is not None:
            return None  # the provider's prices say nothing about somebody else's server
        usd, _ = estimate_cost(
            response, provider=resolution.provider, requested_model=resolution.model
        )
        return None if usd is None else Decimal(repr(usd))

    return ModelBinding(engine, model, "chat", cost_of, CONCURRENCY)


def _attempt_ends_s() -> float:
    ends, attempt_ends = ends_s(), monotonic() + ATTEMPT_S
    return attempt_ends if ends is None else min(ends, attempt_ends)


def _told(error: lm15.LM15Error) -> lm15.LM15Error:
    """*error* as the kind that says what went wrong, and so whether asking again may help."""
    match error, error.__cause__:
        case lm15.TransportError(), ReadTimeout() | WriteTimeout() | ConnectTimeout():
            return lm15.TimeoutError("The provider did not answer in time.")
        case lm15.StreamAssemblyError(), _:
            return lm15.ServerError(error.message)  # the stream ended before the answer did
        case lm15.TransportError(), AnswerIsTooLarge():
            return lm15.CollectionLimitError(error.message)
        case lm15.ProviderError(status=200), _ if type(error) is lm15.ProviderError:
            return lm15.ServerError(error.message, status=200)  # no JSON: broken off, or of a proxy
        case _:
            return error


def _unknown(model: str) -> str:
    known = ", ".join(sorted(LITELLM_PROVIDER_PREFIXES))
    return f"No model is called {model!r}. Write provider/model with one of the providers {known}."
