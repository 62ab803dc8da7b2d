"""Asking providers over HTTP without a program of one's own: to generate, to count, to try."""

from collections.abc import Sequence
from typing import Any, Final, cast

from fastapi import Response, status
from pydantic import BaseModel, Field, JsonValue

from application.errors import AggregateNotFound
from application.generations import Generate, GenerateBatch, Prompt, Prompts
from application.ports import PayloadStore
from application.tokens import tokens_of
from domain.batch.values import USUAL_AT_ONCE, Concurrency
from domain.execution.events import ExecutionRequested
from domain.kernel import Recorded
from domain.module.generation import PROMPT, TEXT
from domain.program.deadline import DeadlineS
from domain.provider.values import MaxTokens, ModelId, Temperature
from domain.text import SafeText
from domain.values import Failure, LmCall, LmUsage
from infrastructure.api.batches import KIND as BATCH
from infrastructure.api.batches import PATH as BATCHES
from infrastructure.api.bodies import Body, NewThing
from infrastructure.api.call_views import model_calls, text_of
from infrastructure.api.dependencies import IdOrName, Reading, Writer, Writing, id_or, wish
from infrastructure.api.etags import Written, written
from infrastructure.api.execution_views import ExecutionView, execution_view
from infrastructure.api.executions import KIND as EXECUTION
from infrastructure.api.executions import Ran, refuse, reply, run_to_its_end
from infrastructure.api.problems import Problem
from infrastructure.api.providers import KIND
from infrastructure.api.route import router
from infrastructure.api.runs import LONGEST_WAIT_S, Wait
from projections import providers as read_model

routes = router("/v1/providers", "providers")

TRIAL_S: Final = 20.0
"""How long a provider that is tried has to answer, the way through the queue included."""

_TRIAL: Final = {"prompt": "Answer with one word: ok", "max_tokens": 16, "temperature": 0.0}


class Question(Body):
    """How a model is asked; what is left out is as the provider offers it."""

    model: ModelId | None = Field(
        default=None, description="Of those that it offers; the first one if left out."
    )
    system: SafeText | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    cache: bool = Field(
        default=False, description="Take the answer of an equal call, and keep this one for others."
    )
    deadline_s: DeadlineS | None = Field(
        default=None, description="Seconds after which it is ended as timed out."
    )


class NewGeneration(NewThing, Question):
    """What to ask a model of a provider."""

    prompt: Prompt


class NewGenerations(NewThing, Question):
    """What to ask a model of a provider, many times."""

    prompts: Prompts
    concurrency: Concurrency = Field(
        default=USUAL_AT_ONCE, description="How many are under way at a time."
    )
    fail_fast: bool = Field(default=False, description="Begin no more once one has failed.")


class TokenCounts(BaseModel):
    """What a generation took."""

    input: int
    output: int
    estimated: bool = Field(
        description="The provider did not count: four characters were taken to make one."
    )


class GenerationView(ExecutionView):
    """What a model answered: an execution of the program that hands prompts over."""

    text: str | None = Field(description="Null unless completed.")
    model: str | None = Field(description="What was asked, as `provider/model`.")
    finish_reason: str | None = Field(description="`length` if it was cut off.")
    tokens: TokenCounts | None = Field(description="Null unless completed.")


class Counted(BaseModel):
    """How many tokens a text takes."""

    tokens: int
    estimated: bool = Field(description="Nobody counted: four characters were taken to make one.")


class Text(Body):
    text: SafeText


class Trial(BaseModel):
    """What came of asking a provider something small."""

    ok: bool
    model: str | None = Field(description="What was asked, as `provider/model`.")
    model_served: str | None = Field(description="What the provider says it answered with.")
    latency_ms: float | None = Field(description="Of the call alone; null if none was made.")
    failure: Failure | None
    execution: ExecutionView = Field(description="It is on record, as any call.")


_WAITED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": ExecutionView, "description": "It has not ended yet."},
    504: {"model": Problem, "description": "It did not end by its deadline, and was ended."},
}


@routes.post("/{provider}/generate", responses=_WAITED)
async def generate(
    provider: IdOrName, body: NewGeneration, desk: Writing, wait: Wait, response: Response
) -> GenerationView:
    """Ask a model of a provider, and wait for its answer.

    It is an execution: recorded before the model is called, charged to budgets, replayed from the
    log. The prompt goes to the model as it stands.
    """
    ran = await _generated(desk, provider, body, wait)
    if ran.view.failure is not None:
        refuse(ran.view.execution_id, ran.view.failure)
    return reply(ran, response)


@routes.post("/{provider}/generate-batch", status_code=status.HTTP_202_ACCEPTED)
async def generate_batch(
    provider: IdOrName, body: NewGenerations, desk: Writing, response: Response
) -> Written:
    """Ask a model of a provider many times, a few at a time: a batch, with a result for each.

    Where it failed the result says why, and the others go on, unless it is to fail fast.
    """
    command = wish(
        GenerateBatch,
        batch_id=desk.new_id(BATCH, body.id),
        provider_id=await desk.id_of(KIND, provider),
        uses_cache=body.cache,
        **body.model_dump(exclude={"id", "cache"}),
    )
    receipt = await desk.dispatch(command)
    return written(response, receipt, f"{BATCHES}/{receipt.id}")


@routes.post("/{provider}/count-tokens")
async def count_tokens(provider: IdOrName, body: Text, desk: Reading) -> Counted:
    """Count the tokens of a text, about: what a call took is told with its answer."""
    wanted = id_or(provider)
    if await desk.read(lambda it: read_model.provider(it, wanted, tenant=desk.tenant)) is None:
        raise AggregateNotFound(KIND, wanted)
    number, is_estimated = tokens_of(body.text)
    return Counted(tokens=number, estimated=is_estimated)


@routes.post("/{provider}/test")
async def try_provider(provider: IdOrName, desk: Writing, model: ModelId | None = None) -> Trial:
    """Ask a provider something small, with the key and from where its calls are made.

    It says what failed, and never the key. The call is on record, and charged, as any.
    """
    body = NewGeneration.model_validate({**_TRIAL, "model": model, "deadline_s": TRIAL_S})
    view = (await _generated(desk, provider, body, TRIAL_S + 5)).view
    made = await desk.run(lambda: model_calls(desk.history(EXECUTION, view.execution_id)))
    call = made[-1] if made else None
    return Trial(
        ok=view.text is not None,
        model=view.model,
        model_served=call and call.model_served,
        latency_ms=call and call.latency_ms,
        failure=view.failure,
        execution=ExecutionView.model_validate(view.model_dump()),
    )


async def _generated(
    desk: Writer, provider: str, body: NewGeneration, wait_s: float | None
) -> Ran[GenerationView]:
    execution_id = desk.new_id(EXECUTION, body.id)
    command = wish(
        Generate,
        execution_id=execution_id,
        provider_id=await desk.id_of(KIND, provider),
        uses_cache=body.cache,
        usual_deadline_s=desk.deps.deadline_s if wait_s is None else None,
        **body.model_dump(exclude={"id", "cache"}),
    )
    longest_s = LONGEST_WAIT_S if wait_s is None else wait_s
    return await run_to_its_end(desk, execution_id, command, generation_view, longest_s)


def generation_view(history: Sequence[Recorded], payloads: PayloadStore) -> GenerationView:
    """The generation that *history* tells. Reads what was asked and what it answered."""
    view, asked = execution_view(history, payloads), cast("ExecutionRequested", history[0].event)
    made = model_calls(history)
    call = made[-1] if made else None
    text = _text(view.outputs, TEXT)
    told = {
        "text": text,
        "model": asked.model,
        "finish_reason": call and call.finish_reason,
        "tokens": None if text is None else _counts(asked, call, text, payloads),
    }
    return GenerationView.model_validate(view.model_dump() | told)


def _counts(
    asked: ExecutionRequested, call: LmCall | None, text: str, payloads: PayloadStore
) -> TokenCounts:
    usage = LmUsage() if call is None else call.usage
    prompt = _text(text_of(asked.inputs, payloads), PROMPT) or ""
    given = tokens_of(prompt, usage.prompt_tokens)
    taken = tokens_of(text, usage.completion_tokens)
    is_estimated = given.is_estimated or taken.is_estimated
    return TokenCounts(input=given.number, output=taken.number, estimated=is_estimated)


def _text(values: JsonValue, name: str) -> str | None:
    found = values.get(name) if isinstance(values, dict) else None
    return found if isinstance(found, str) else None
