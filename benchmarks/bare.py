"""Bare DSPy in FastAPI, as its users write it: ``python -m benchmarks.bare PROVIDER PORT``.

No cache, no history, the native engine: the fastest way DSPy itself offers.
"""

import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "true"  # as Stratal sets it: no price table is fetched

import dspy
import uvicorn
from fastapi import FastAPI


def build(provider: str) -> FastAPI:
    lm = dspy.LM(
        "openai/bench",
        api_base=provider,
        api_key="bench",
        cache=False,
        num_retries=0,
        temperature=0.0,
        max_tokens=1000,
    )
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    dspy.configure(lm=lm, disable_history=True)
    program = dspy.Predict("question -> answer")
    app = FastAPI()

    @app.post("/execute")
    def execute(body: dict[str, str]) -> dict[str, str]:
        with dspy.context(trace=[]):
            return {"answer": program(question=body["question"]).answer}

    return app


if __name__ == "__main__":
    uvicorn.run(
        build(sys.argv[1]),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        log_level="error",
        access_log=False,
    )
