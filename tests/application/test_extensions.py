"""What may be named in a request besides what Stratal brings."""

import pytest

from application.extensions import Extensions
from application.lm_ports import ProgramFailed
from domain.errors import Fault
from domain.evaluation.errors import UnknownMetric
from domain.evaluation.metrics import metric
from domain.optimization.catalog import complete_config
from domain.optimization.errors import UnknownOptimizer
from domain.probe.errors import PackageIsNotAllowed

EXTENSIONS = Extensions(["acme_brief"])


def test_an_import_path_within_an_allowed_package_is_a_metric() -> None:
    EXTENSIONS.require_metric("acme_brief:brevity")
    EXTENSIONS.require_metric("acme_brief.more:brevity")
    EXTENSIONS.require_metric("exact_match")


def test_an_import_path_elsewhere_is_refused_where_it_was_named() -> None:
    with pytest.raises(PackageIsNotAllowed) as refused:
        EXTENSIONS.require_metric("acme_briefer:brevity")
    assert [each.pointer for each in refused.value.faults] == ["/metric"]
    with pytest.raises(PackageIsNotAllowed) as refused:
        EXTENSIONS.require_optimizer("os:system")
    assert isinstance(refused.value.faults[0], Fault)
    assert refused.value.faults[0].pointer == "/optimizer"
    with pytest.raises(PackageIsNotAllowed):
        Extensions().complete_config("acme_brief:Shortest", {})


def test_a_name_that_is_no_path_is_one_of_ours() -> None:
    EXTENSIONS.require_optimizer("copro")
    with pytest.raises(UnknownMetric):
        EXTENSIONS.require_metric("brevity")
    with pytest.raises(UnknownOptimizer):
        EXTENSIONS.require_optimizer("shortest")


def test_what_imports_nothing_says_who_would() -> None:
    assert EXTENSIONS.metric("exact_match") is metric("exact_match")
    with pytest.raises(ProgramFailed, match="Run it on a worker"):
        EXTENSIONS.metric("acme_brief:brevity")
    assert EXTENSIONS.sources("copro", "acme_brief:brevity") == {
        "source of acme_brief:brevity": "module.not_importable"
    }


def test_the_parameters_of_an_optimizer_are_completed_where_they_are_known() -> None:
    assert EXTENSIONS.complete_config("copro", {}) == complete_config("copro", {})
    EXTENSIONS.require_optimizer("acme_brief:Shortest")
    assert EXTENSIONS.complete_config("acme_brief:Shortest", {"k": 2}) == {"k": 2}
