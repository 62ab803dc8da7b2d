"""The optimizers there are, the parameters each one takes, and their defaults.

Parameters bear DSPy's names, the defaults are those of the papers. Whatever cannot be said in JSON
(teachers, models, loggers) or belongs to the worker (threads, log folders) is not a parameter.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from domain.errors import Fault
from domain.kernel import ValueObject
from domain.optimization.errors import InvalidOptimizerConfig, UnknownOptimizer
from domain.text import escape
from domain.values import Score

Demos = Annotated[int, Field(ge=0, le=64)]
Candidates = Annotated[int, Field(ge=1, le=100)]
Rows = Annotated[int, Field(ge=1, le=10_000)]
Temperature = Annotated[float, Field(ge=0, le=2)]


class OptimizerConfig(ValueObject):
    """The parameters of one optimizer; unknown ones are refused, none is converted."""

    model_config = ConfigDict(strict=True)


class LabeledFewShotConfig(OptimizerConfig):
    """Shows ``k`` rows of the dataset as demonstrations."""

    k: Annotated[int, Field(ge=1, le=64)] = 16


class BootstrapFewShotConfig(OptimizerConfig):
    """Shows runs of the program that the metric approved, topped up with rows as they are.

    ``metric_threshold`` is the least score that approves; without it any score above 0 does.
    """

    max_bootstrapped_demos: Demos = 4
    max_labeled_demos: Demos = 16
    max_rounds: Annotated[int, Field(ge=1, le=20)] = 1
    max_errors: Annotated[int, Field(ge=0, le=10_000)] = 5
    metric_threshold: Score | None = None


class BootstrapRandomSearchConfig(BootstrapFewShotConfig):
    """Bootstraps ``num_candidate_programs`` times with other rows and keeps the best."""

    num_candidate_programs: Candidates = 16


class BootstrapOptunaConfig(OptimizerConfig):
    """Bootstraps once, then lets Optuna choose up to ``max_demos`` of the demonstrations."""

    max_bootstrapped_demos: Demos = 4
    max_labeled_demos: Demos = 16
    max_rounds: Annotated[int, Field(ge=1, le=20)] = 1
    num_candidate_programs: Candidates = 16
    max_demos: Annotated[int, Field(ge=1, le=64)] = 4


class MiproConfig(OptimizerConfig):
    """Searches instructions and demonstrations together (DSPy's MIPROv2).

    ``minibatch_size`` is cut to the rows there are.
    """

    num_candidates: Candidates = 10
    num_trials: Annotated[int, Field(ge=1, le=1000)] = 15
    max_bootstrapped_demos: Demos = 4
    max_labeled_demos: Demos = 4
    init_temperature: Temperature = 1.0
    minibatch: bool = True
    minibatch_size: Rows = 25
    minibatch_full_eval_steps: Annotated[int, Field(ge=1, le=1000)] = 10
    view_data_batch_size: Annotated[int, Field(ge=1, le=1000)] = 10
    program_aware_proposer: bool = True
    data_aware_proposer: bool = True
    tip_aware_proposer: bool = True
    fewshot_aware_proposer: bool = True
    metric_threshold: Score | None = None
    track_stats: bool = True
    verbose: bool = False


class CoproConfig(OptimizerConfig):
    """Rewrites the instructions: ``breadth`` proposals at each of ``depth`` rounds."""

    breadth: Annotated[int, Field(ge=2, le=100)] = 10
    depth: Annotated[int, Field(ge=1, le=20)] = 3
    init_temperature: Temperature = 1.4
    track_stats: bool = False


OPTIMIZERS: Final[Mapping[str, type[OptimizerConfig]]] = MappingProxyType(
    {
        "labeled_fewshot": LabeledFewShotConfig,
        "bootstrap_fewshot": BootstrapFewShotConfig,
        "bootstrap_random_search": BootstrapRandomSearchConfig,
        "bootstrap_fewshot_with_optuna": BootstrapOptunaConfig,
        "mipro": MiproConfig,
        "copro": CoproConfig,
    }
)

DEFAULT_OPTIMIZER: Final = "bootstrap_random_search"
"""What improves a program that names no optimizer of its own."""


def known_optimizer(name: str) -> type[OptimizerConfig]:
    """The parameters of the optimizer called *name*.

    Raises:
        UnknownOptimizer: There is none; the error lists those there are.
    """
    if name not in OPTIMIZERS:
        raise UnknownOptimizer(name, OPTIMIZERS)
    return OPTIMIZERS[name]


def complete_config(optimizer: str, config: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """*config* with every parameter it leaves out at its default.

    Raises:
        UnknownOptimizer: No optimizer has that name.
        InvalidOptimizerConfig: A parameter is unknown or out of bounds; each fault points at one.
    """
    schema = known_optimizer(optimizer)
    try:
        return schema.model_validate(dict(config)).model_dump(mode="json")
    except ValidationError as error:
        faults = [
            Fault(
                pointer="/config" + "".join(f"/{escape(step)}" for step in fault["loc"]),
                code=f"optimizer.config.{fault['type']}",
                message=_advice(fault["type"], fault["msg"], schema),
            )
            for fault in error.errors(include_url=False)
        ]
        raise InvalidOptimizerConfig(optimizer, faults) from error


def _advice(kind: str, message: str, schema: type[OptimizerConfig]) -> str:
    if kind == "extra_forbidden":
        return f"There is no such parameter. Known are {', '.join(schema.model_fields)}."
    return f"{message}."
