from tests.support.event_log import cluster, database, log, pool, recorder

__all__ = ["cluster", "database", "log", "pool", "recorder"]
