"""A package of somebody else offers its modules by its metadata alone, in a few lines."""

import sys

import pytest

from infrastructure.offers import ModuleOffer, offers
from tests.support.probes import PLUGIN

MOST_LINES = 80


@pytest.mark.feature("BRG-14")
@pytest.mark.feature("VIS-28")
@pytest.mark.feature("MOD-31")
def test_vis_28_a_plug_in_module_registers_in_less_than_80_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    [offer] = offers(["acme_rag"])
    assert offer == ModuleOffer("rag", "acme_rag.rag:MyRAG", "acme-rag", "1.2.3", is_allowed=True)
    [offer] = offers([])
    assert not offer.is_allowed
    assert "acme_rag" not in sys.modules
    parts = [*PLUGIN.glob("acme_rag/*.py"), *PLUGIN.glob("acme_rag-*/*")]
    assert 0 < sum(len(each.read_text().splitlines()) for each in parts) < MOST_LINES
