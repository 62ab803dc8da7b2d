"""The child process of one probe: reads its job, tries the module out, writes what it found."""

import os
import resource
import sys
from pathlib import Path

from application.probing import ModuleRefused
from infrastructure.dspy_runtime.prober import REPORT, STAGE, Job, Report
from infrastructure.workers.child import die_with


def main() -> int:
    """Carry out the job on stdin, within its limits."""
    die_with(int(sys.argv[1]))
    job = Job.model_validate_json(sys.stdin.buffer.read())
    report = _report(job)
    _write(job.folder / REPORT, report.model_dump_json())
    return 0


def _report(job: Job) -> Report:
    # DSPy is imported before any limit holds: what counts is what the module does.
    from infrastructure.dspy_runtime.custom import Packages  # noqa: PLC0415 - see above
    from infrastructure.dspy_runtime.dry_run import DryRun  # noqa: PLC0415 - see above
    from infrastructure.dspy_runtime.probing import probe  # noqa: PLC0415 - see above
    from infrastructure.models.answers import answer_text  # noqa: PLC0415 - see above

    _limit(resource.RLIMIT_DATA, job.memory_bytes)
    _limit(resource.RLIMIT_FSIZE, job.file_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    dry_run = DryRun(lambda last, reply, seed: answer_text(last, reply, seed=seed))
    try:
        findings = probe(
            job.promise,
            Packages(job.packages),
            dry_run,
            lambda stage: _write(job.folder / STAGE, stage),
        )
    except ModuleRefused as refused:
        return Report(refusal=refused.failure)
    return Report(findings=findings)


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (limit, limit))


def _write(path: Path, text: str) -> None:
    """Write *text* whole or not at all: the parent may look at any moment."""
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # threads and exit handlers of the module must not hold it up
