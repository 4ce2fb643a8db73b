"""From what is wanted to what is to be done, all of it or a part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from orchestrator.spec.job import JobSpec
from orchestrator.spec.only import only_failed, read_failed
from orchestrator.spec.plan import RunPlan, plan_run


def planned(spec: JobSpec, run_id: str, *, environ: Mapping[str, str], only: Path | None) -> RunPlan:
    """Plan a run; it reads files, so call it in a thread.

    Args:
        spec: what is wanted.
        run_id: of the run.
        environ: where secrets are looked up.
        only: a `failed.json`: only its tasks are planned; None for all.

    Raises:
        SpecError: the job can't be right, or the file is not of this job.
    """
    plan = plan_run(spec, run_id, environ=environ)
    if only is None:
        return plan
    return msgspec.structs.replace(only_failed(plan, read_failed(only)), is_part=True)
