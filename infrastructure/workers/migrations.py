"""The table of jobs, as migrations."""

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

_QUEUES: LiteralString = """
UPDATE stratal.jobs AS job SET queue = named.new,
  message = convert_to(replace(
    convert_from(message, 'UTF8'),
    format('"queue_name":"%s"', named.old), format('"queue_name":"%s"', named.new)
  ), 'UTF8')
FROM (VALUES ('executions', 'ml_inference'), ('optimizations', 'ml_optimization'))
  AS named (old, new)
WHERE job.queue = named.old AND convert_from(message, 'UTF8') LIKE '{%';
"""
"""What waited when the queues got their names goes on in the queue of its new name."""

_PAUSED: LiteralString = """
CREATE TABLE stratal.paused_queues (
  queue text PRIMARY KEY,
  reason text NOT NULL,
  paused_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE stratal.paused_queues IS 'Queues that no worker takes jobs of.';
"""

MIGRATIONS: tuple[tuple[str, LiteralString], ...] = (
    ("workers_jobs", _JOBS),
    ("workers_queues", _QUEUES),
    ("workers_paused", _PAUSED),
)
