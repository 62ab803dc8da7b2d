"""The table of jobs, as a migration."""

from typing import LiteralString

_JOBS: LiteralString = """
CREATE TABLE stratal.jobs (
  message_id uuid PRIMARY KEY,
  id bigint GENERATED ALWAYS AS IDENTITY,
  key uuid NOT NULL,
  queue text NOT NULL,
  run_at timestamptz NOT NULL DEFAULT now(),
  owner int,
  claim bigint,
  tries smallint NOT NULL DEFAULT 0,
  crashes smallint NOT NULL DEFAULT 0,
  sends smallint NOT NULL DEFAULT 0,
  dead_at timestamptz,
  error text,
  message bytea NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX jobs_ready ON stratal.jobs (queue, run_at, id)
  WHERE owner IS NULL AND dead_at IS NULL;
CREATE INDEX jobs_owned ON stratal.jobs (owner) WHERE owner IS NOT NULL;
COMMENT ON TABLE stratal.jobs IS 'Work that was asked for in the log and is not done yet.';
"""

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (("workers_jobs", _JOBS),)
