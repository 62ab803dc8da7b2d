"""The log on its own: ``python -m benchmarks.log [SECONDS_A_CELL]``."""

import sys
import tempfile
from pathlib import Path

from benchmarks import appends
from infrastructure.bootstrap import prepare
from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.roles import Access


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    with tempfile.TemporaryDirectory(prefix="stratal-bench-") as home:
        server = EmbeddedPostgres(Path(home))
        conninfo = server.start()
        try:
            prepare(Access(server.service_url, conninfo))
            appends.report(appends.measure(conninfo, seconds))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
