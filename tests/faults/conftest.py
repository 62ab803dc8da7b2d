from tests.support.event_log import log, pool, recorder

__all__ = ["log", "pool", "recorder"]
