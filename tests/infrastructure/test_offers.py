"""A package of somebody else offers what it brings by its metadata alone, in a few lines."""

import sys

import pytest

from infrastructure.offers import Offer, offers
from tests.support.probes import BRIEF, PLUGIN

MOST_LINES = 80


@pytest.mark.feature("BRG-14")
@pytest.mark.feature("VIS-28")
@pytest.mark.feature("MOD-31")
def test_vis_28_a_module_a_metric_an_optimizer_and_a_provider_register_in_less_than_80_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BRIEF))
    assert [*offers(["acme_brief"])] == [
        Offer("module", "terse", "acme_brief:Terse", "acme-brief", "1.0", is_allowed=True),
        Offer("metric", "brevity", "acme_brief:brevity", "acme-brief", "1.0", is_allowed=True),
        Offer("optimizer", "shortest", "acme_brief:Shortest", "acme-brief", "1.0", is_allowed=True),
        Offer("provider", "echo", "acme_brief:Echo", "acme-brief", "1.0", is_allowed=True),
    ]
    assert not any(each.is_allowed for each in offers([]))
    assert "acme_brief" not in sys.modules
    parts = [*BRIEF.glob("acme_brief/*.py"), *BRIEF.glob("acme_brief-*/*")]
    assert 0 < sum(len(each.read_text().splitlines()) for each in parts) < MOST_LINES


def test_a_module_is_offered_with_its_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    [offer] = offers(["acme_rag"])
    assert offer == Offer(
        "module", "rag", "acme_rag.rag:MyRAG", "acme-rag", "1.2.3", is_allowed=True
    )
