"""Two tenants with a model each, at once in one process: neither ever asks the other's."""

import threading
from concurrent.futures import ThreadPoolExecutor

import dspy
import pytest
from dspy import lm15

from infrastructure.dspy_runtime.runtime import DspyRunner
from infrastructure.models.binding import ModelBinding, free_of_charge
from tests.support.dspy_programs import FakeEngine, MemoryJournal, two_steps

ROUNDS = 500
"""In each, both tenants are at their models at the same time, twice."""


class Meeting(FakeEngine):
    """Answers with the name of its tenant, once the other tenant is at its own model too."""

    def __init__(self, tenant: str, both_are_here: threading.Barrier) -> None:
        super().__init__()
        self._tenant, self._both_are_here = tenant, both_are_here
        self.settings = set[str]()

    def answer(self, request: lm15.Request) -> str:
        self._both_are_here.wait(timeout=30)
        self.settings.add(dspy.settings.lm.model)
        said = "\n".join(f"[[ ## {name} ## ]]\n{self._tenant}" for name in ("plan", "answer"))
        return f"[[ ## reasoning ## ]]\n{self._tenant}\n{said}\n[[ ## completed ## ]]"


@pytest.mark.feature("BRG-18")
def test_brg_18_two_tenants_side_by_side_never_see_each_others_model() -> None:
    meeting = threading.Barrier(2)
    engines = {tenant: Meeting(tenant, meeting) for tenant in ("acme", "globex")}

    def run_all(tenant: str) -> set[tuple[object, ...]]:
        model = ModelBinding(engines[tenant], f"{tenant}/model", "chat", free_of_charge, 1)
        runner, seen = DspyRunner(model), set[tuple[object, ...]]()
        for _ in range(ROUNDS):
            journal = MemoryJournal()
            given = runner.run(two_steps(), {"question": tenant}, journal, live=True)
            seen.add((given["answer"], *(call.model for call in journal.calls)))
        return seen

    with ThreadPoolExecutor(2) as pool:
        seen = dict(zip(engines, pool.map(run_all, engines), strict=True))
    for tenant, engine in engines.items():
        assert engine.calls == 2 * ROUNDS
        assert seen[tenant] == {(tenant, f"{tenant}/model", f"{tenant}/model")}
        assert engine.settings == {f"{tenant}/model"}
        assert all(tenant in (each.messages[-1].text or "") for each in engine.requests)
    assert dspy.settings.lm is None
