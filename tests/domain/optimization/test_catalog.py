"""The optimizers there are, and what they take."""

import pytest
from pydantic import JsonValue

from domain.optimization.catalog import DEFAULT_OPTIMIZER, OPTIMIZERS, complete_config
from domain.optimization.errors import InvalidOptimizerConfig, UnknownOptimizer


@pytest.mark.feature("OPT-02")
def test_opt_02_the_four_types_of_the_seeds_are_there() -> None:
    seeds = {"bootstrap_fewshot", "bootstrap_fewshot_with_optuna", "mipro", "copro"}
    assert seeds < OPTIMIZERS.keys()
    assert DEFAULT_OPTIMIZER in OPTIMIZERS


@pytest.mark.feature("OPT-08")
def test_opt_08_bootstrap_fewshot_has_the_defaults_of_the_seeds() -> None:
    assert complete_config("bootstrap_fewshot", {}) == {
        "max_bootstrapped_demos": 4,
        "max_labeled_demos": 16,
        "max_rounds": 1,
        "max_errors": 5,
        "metric_threshold": None,
    }


@pytest.mark.feature("OPT-11")
def test_opt_11_mipro_has_the_defaults_of_the_seeds() -> None:
    config = complete_config("mipro", {})
    seeds: dict[str, JsonValue] = {
        "num_candidates": 10,
        "init_temperature": 1.0,
        "verbose": False,
        "track_stats": True,
        "view_data_batch_size": 10,
        "minibatch_size": 25,
        "minibatch_full_eval_steps": 10,
    }
    assert seeds.items() <= config.items()


def test_the_other_defaults_are_those_of_the_papers() -> None:
    assert complete_config("labeled_fewshot", {}) == {"k": 16}
    assert complete_config("copro", {})["init_temperature"] == 1.4
    assert complete_config("bootstrap_random_search", {})["num_candidate_programs"] == 16


def test_what_is_given_overrides_the_defaults() -> None:
    assert complete_config("copro", {"breadth": 4, "init_temperature": 1})["breadth"] == 4


@pytest.mark.feature("OPT-03")
def test_opt_03_every_bad_parameter_is_named_with_its_pointer() -> None:
    with pytest.raises(InvalidOptimizerConfig) as refusal:
        complete_config("copro", {"breadth": 1, "depht": 3, "depth": "3", "track_stats": 1})
    faults = {fault.pointer: fault for fault in refusal.value.faults}
    assert faults.keys() == {
        "/config/breadth",
        "/config/depht",
        "/config/depth",
        "/config/track_stats",
    }
    assert "Known are breadth, depth, init_temperature" in faults["/config/depht"].message
    assert faults["/config/depht"].code == "optimizer.config.extra_forbidden"
    assert "greater than or equal to 2" in faults["/config/breadth"].message


@pytest.mark.feature("OPT-16")
def test_opt_16_an_unknown_optimizer_lists_the_known_ones() -> None:
    with pytest.raises(UnknownOptimizer, match="labeled_fewshot, bootstrap_fewshot") as refusal:
        complete_config("gepetto", {})
    assert refusal.value.faults[0].pointer == "/optimizer"
