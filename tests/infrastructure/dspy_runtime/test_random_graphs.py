"""Whatever graph keeps the rules compiles, runs, and is the same when it comes back as JSON."""

from collections import Counter
from random import Random

import pytest

from application.lm_ports import RunnableProgram
from domain.program.graph import ProgramGraph, walk
from domain.program.rules import check
from infrastructure.dspy_runtime.compiler import source
from infrastructure.dspy_runtime.runtime import DspyRunner
from tests.support.dspy_programs import FakeEngine, MemoryJournal, bound
from tests.support.random_graphs import random_graph, random_inputs

BLOCKS, GRAPHS = 10, 500


@pytest.mark.slow
@pytest.mark.feature("MOD-09")
@pytest.mark.feature("MOD-29")
@pytest.mark.feature("PRG-23")
@pytest.mark.parametrize("block", range(BLOCKS))
def test_5000_random_graphs_compile_run_and_come_back_from_json(block: int) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(block * GRAPHS, (block + 1) * GRAPHS):
        random = Random(seed)
        graph = check(random_graph(random))
        assert ProgramGraph.model_validate_json(graph.model_dump_json()) == graph
        inputs, journal = random_inputs(random, graph.signature), MemoryJournal()
        runner = DspyRunner(bound(FakeEngine(), concurrency=2))
        program = RunnableProgram(f"random{seed}@1", graph, None)
        outputs = runner.run(program, inputs, journal, live=True)
        assert outputs.keys() == graph.outputs.keys()
        if seed % 10 == 0:
            again = runner.run(program, inputs, MemoryJournal(journal.answers), live=False)
            assert again == outputs
        kinds.update(placed.node.kind for placed in walk(graph))
    assert kinds.keys() == {"module", "const", "join", "map", "branch", "loop"}


def test_the_same_graph_has_the_same_source_wherever_it_comes_from() -> None:
    for seed in range(50):
        graph = check(random_graph(Random(seed)))
        back = ProgramGraph.model_validate_json(graph.model_dump_json())
        turned = {name: graph.outputs[name] for name in reversed(graph.outputs)}
        assert source(graph) == source(back)
        assert source(graph) == source(graph.model_copy(update={"outputs": turned}))
