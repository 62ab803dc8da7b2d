"""What may be named in a request: the metrics and the optimizers that this release knows."""

import inspect

from pydantic import BaseModel, Field, JsonValue

from domain.evaluation.metrics import METRICS
from domain.optimization.catalog import DEFAULT_OPTIMIZER, OPTIMIZERS, OptimizerConfig
from infrastructure.api.route import router

routes = router("/v1", "catalogs")


class MetricView(BaseModel):
    """How an answer is compared with what a row says. Greater is better."""

    name: str
    description: str
    least: float = Field(default=0.0, description="The score of an answer that is all wrong.")
    greatest: float = Field(default=1.0, description="The score of an answer that is all right.")


class MetricList(BaseModel):
    items: tuple[MetricView, ...]


class OptimizerView(BaseModel):
    """A way to look for a better version of a program."""

    name: str
    description: str
    is_default: bool = Field(description="Taken for a program that names none of its own.")
    parameters: dict[str, JsonValue] = Field(description="The JSON schema of ``config``.")


class OptimizerList(BaseModel):
    items: tuple[OptimizerView, ...]


@routes.get("/metrics")
async def list_metrics() -> MetricList:
    """List the metrics that an optimization or evaluation may name."""
    return MetricList(
        items=tuple(
            MetricView(name=name, description=inspect.getdoc(metric) or "")
            for name, metric in METRICS.items()
        )
    )


@routes.get("/optimizers")
async def list_optimizers() -> OptimizerList:
    """List the optimizers with their parameters and defaults."""
    return OptimizerList(items=tuple(_optimizer(*each) for each in OPTIMIZERS.items()))


def _optimizer(name: str, config: type[OptimizerConfig]) -> OptimizerView:
    return OptimizerView(
        name=name,
        description=inspect.getdoc(config) or "",
        is_default=name == DEFAULT_OPTIMIZER,
        parameters=config.model_json_schema(),
    )
