from tests.support.event_log import log, pool, recorder
from tests.support.service import pytest_runtest_makereport

__all__ = ["log", "pool", "pytest_runtest_makereport", "recorder"]
