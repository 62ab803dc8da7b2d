"""The local model: real weights, real inference, in this process."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dspy import lm15

from domain.module.values import ModuleConfig
from domain.signature.types import EnumOf
from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.binding import ModelIsMissing, ModelSettingIsInvalid
from infrastructure.models.catalog import build_engine
from infrastructure.models.local import LocalEngine
from infrastructure.models.weights import fetched_path, located
from tests.support.dspy_programs import MemoryJournal, single, spec

SCHEMA = {
    "type": "json_schema",
    "name": "answer",
    "schema": {
        "type": "object",
        "properties": {"mood": {"enum": ["good", "bad"]}, "stars": {"type": "integer"}},
        "required": ["mood", "stars"],
        "additionalProperties": False,
    },
}


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    loaded = LocalEngine(located("smollm2", Path()))
    yield loaded
    loaded.close()


def asked(text: str, **config: object) -> lm15.Request:
    options = {"temperature": 0.0, "max_tokens": 24} | config
    return lm15.Request(
        model="local/smollm2",
        messages=(lm15.Message.user(text),),
        config=lm15.Config(**options),
    )


@pytest.mark.slow
def test_the_model_answers_counts_its_tokens_and_repeats_itself(engine: LocalEngine) -> None:
    first, second = (engine.complete(asked("What is the capital of France?")) for _ in range(2))
    assert first.message.text
    assert first.message == second.message
    assert first.usage.input_tokens
    assert first.usage.output_tokens


@pytest.mark.slow
def test_smollm2_answers_alike_whatever_was_asked_before(engine: LocalEngine) -> None:
    other = LocalEngine(located("smollm2", Path()))
    questions = [f"What is {n} plus {n}? Answer in one word." for n in range(6)]
    try:
        backwards = [other.complete(asked(text)).message.text for text in reversed(questions)]
    finally:
        other.close()
    assert backwards[::-1] == [engine.complete(asked(text)).message.text for text in questions]


@pytest.mark.slow
def test_a_schema_is_kept_to(engine: LocalEngine) -> None:
    request = asked("I hated this film.", response_format=SCHEMA, max_tokens=60)
    answer = json.loads(engine.complete(request).message.text or "")
    assert answer["mood"] in {"good", "bad"}
    assert isinstance(answer["stars"], int)


@pytest.mark.slow
def test_the_seed_varies_what_a_warm_model_says(engine: LocalEngine) -> None:
    said = [
        engine.complete(asked("Name an animal.", temperature=1.5, seed=seed)).message.text
        for seed in (1, 1, 2)
    ]
    assert said[0] == said[1] != said[2]


@pytest.mark.slow
def test_inference_leaves_the_other_threads_running(engine: LocalEngine) -> None:
    engine.complete(asked("Hello"))
    gaps: list[float] = []
    done = threading.Event()

    def tick() -> None:
        last = time.perf_counter()
        while not done.wait(0.001):
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    ticking = threading.Thread(target=tick)
    ticking.start()
    started = time.perf_counter()
    engine.complete(asked("word " * 200))
    lasted = time.perf_counter() - started
    done.set()
    ticking.join()
    assert max(gaps) < max(0.3, lasted / 2), "the interpreter's lock was held during inference"


@pytest.mark.slow
def test_a_prompt_that_is_too_long_is_refused_as_such(engine: LocalEngine) -> None:
    with pytest.raises(lm15.ContextLengthError):
        engine.complete(asked("word " * 9000))


@pytest.mark.slow
def test_a_schema_it_cannot_follow_is_a_refused_request(engine: LocalEngine) -> None:
    with pytest.raises(lm15.InvalidRequestError):
        engine.complete(asked("x", response_format={**SCHEMA, "schema": {"type": "nonsense"}}))


@pytest.mark.slow
def test_a_picture_is_a_refused_request(engine: LocalEngine) -> None:
    picture = lm15.ImagePart(url="https://pictures.example/a.png")
    request = lm15.Request(
        model="local", messages=(lm15.Message.user([lm15.TextPart("What is"), picture]),)
    )
    with pytest.raises(lm15.InvalidRequestError, match="text alone"):
        engine.complete(request)


@pytest.mark.slow
def test_a_program_runs_on_the_local_model() -> None:
    model = build_engine("local", api_base=None, api_key=None, home=Path())
    assert (model.adapter, model.concurrency) == ("json", 1)
    signature = spec("review", {"mood": EnumOf(values=("positive", "negative"))})
    program = single(signature, config=ModuleConfig(temperature=0.0, max_tokens=40))
    journal = MemoryJournal()
    try:
        outputs = DspyRunner(model).run(program, {"review": "I loved it"}, journal, live=True)
    finally:
        model.engine.close()
    assert outputs["mood"] in {"positive", "negative"}
    assert journal.calls[0].model == "local/smollm2"
    assert journal.calls[0].cost_usd == 0


def test_a_model_that_was_not_fetched_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelIsMissing, match=r"stratal model fetch qwen2\.5-coder-0\.5b"):
        build_engine("local:qwen2.5-coder-0.5b", api_base=None, api_key=None, home=tmp_path)


def test_a_model_is_found_by_name_once_fetched_and_by_path(tmp_path: Path) -> None:
    fetched = fetched_path("qwen2.5-coder-0.5b", tmp_path)
    fetched.parent.mkdir()
    fetched.touch()
    named = build_engine("local:qwen2.5-coder-0.5b", api_base=None, api_key=None, home=tmp_path)
    assert named.model == "local/qwen2.5-coder-0.5b"
    by_path = build_engine(f"local:{fetched}", api_base=None, api_key=None, home=tmp_path)
    assert by_path.model == "local/qwen2.5-coder-0.5b"


@pytest.mark.parametrize("name", ["gpt-9", "/nowhere/x.gguf"])
def test_a_local_model_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises((ModelSettingIsInvalid, ModelIsMissing), match=r"gguf"):
        build_engine(f"local:{name}", api_base=None, api_key=None, home=Path())
