"""A reward as a function whose source models can read: ``dspy.Refine`` shows it to them."""

import hashlib
import linecache
from collections.abc import Callable
from typing import Any

from domain.module.rewards import (
    ContainsReward,
    EqualsReward,
    NumberReward,
    Reward,
    ValidReward,
    WordsReward,
)
from domain.signature.errors import ValuesDoNotFit
from domain.signature.fields import SignatureSpec
from domain.signature.validation import validate_outputs
from infrastructure.dspy_runtime.signatures import attribute, safe_name

RewardFunction = Callable[[Any, Any], float]


def reward_function(name: str, reward: Reward, signature: SignatureSpec) -> RewardFunction:
    """*reward* as a function called *name*, of the inputs and the prediction of a module."""
    text = f"def {safe_name(name)}(inputs, outputs):\n    return {_judged(reward)}\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    file = f"<stratal_rewards.{digest}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)

    def fit(outputs: Any) -> bool:
        values = {field.name: outputs.get(field.name) for field in signature.outputs}
        try:
            validate_outputs(signature, values)
        except ValuesDoNotFit:
            return False
        return True

    namespace: dict[str, Any] = {"outputs_fit_their_types_and_bounds": fit}
    # Names in the text were checked to be identifiers; all else is a literal of ours.
    exec(compile(text, file, "exec"), namespace)  # noqa: S102
    function: RewardFunction = namespace[name]
    return function


def _judged(reward: Reward) -> str:
    match reward:
        case NumberReward(field=field):
            return f"float(outputs{attribute(field)})"
        case EqualsReward(field=field, value=value):
            return f"float(outputs{attribute(field)} == {value!r})"
        case ContainsReward(field=field, text=text):
            return f"float({text.casefold()!r} in outputs{attribute(field)}.casefold())"
        case WordsReward(field=field):
            words = f"len(outputs{attribute(field)}.split())"
            return f"float({reward.at_least!r} <= {words} <= {reward.at_most!r})"
        case ValidReward():
            return "float(outputs_fit_their_types_and_bounds(outputs))"
