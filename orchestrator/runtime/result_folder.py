"""Whether results can be written where they are to go, before anything is created that costs money."""

from __future__ import annotations

import tempfile

from orchestrator.errors import SpecError
from orchestrator.spec.place import spec_error
from orchestrator.spec.plan import RunPlan


def refuse_unwritable(plan: RunPlan) -> None:
    """Make the folder of results, and write into it for a moment; blocks.

    Permissions alone do not tell: the file system may be full or read-only.

    Raises:
        SpecError: it can't be made or written to.
    """
    try:
        plan.download_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=plan.download_dir) as file:
            file.write(b"\n")
    except OSError as error:
        raise _unwritable(plan, error) from error


def _unwritable(plan: RunPlan, error: OSError) -> SpecError:
    why = error.strerror or str(error)
    return spec_error(plan.spec.source, "download_dir", f"{plan.download_dir} can't be written to: {why}")
