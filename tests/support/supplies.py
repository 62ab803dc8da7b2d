"""What programs use of others, in memory."""

from application.supplies import Supplies
from domain.dataset.aggregate import Dataset
from domain.program.aggregate import Program
from domain.tool.aggregate import Tool
from domain.tool.allowance import Allowance
from tests.support.memory import MemoryLog, MemoryRepository
from tests.support.payloads import MemoryPayloads

ALLOWED = Allowance(
    entry_points=frozenset({"shop.tools:search", "shop.more"}),
    hosts=frozenset({"api.shop.example", "*.open.example", "http://tools.internal:8080"}),
    secrets={"shop": "api.shop.example"},
)


def supplies_of(log: MemoryLog, payloads: MemoryPayloads | None = None) -> Supplies:
    """Supplies over the programs and datasets in *log*, with some tools that are allowed."""
    programs, datasets = MemoryRepository(Program, log), MemoryRepository(Dataset, log)
    texts = MemoryPayloads() if payloads is None else payloads
    return Supplies(programs, datasets, MemoryRepository(Tool, log), texts, ALLOWED)
