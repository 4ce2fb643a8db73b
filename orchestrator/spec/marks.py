"""The metadata by which what a run creates can be told, in the service itself, from everything else."""

from __future__ import annotations

from typing import Final

RUN_KEY: Final = "orchestrator_run"
"""Of pools, jobs and containers: the run that created it."""

JOB_KEY: Final = "orchestrator_job"
"""Of pools and containers: the job that it was created for."""

APPLICATION_KEY: Final = "orchestrator_application"
"""Of pools and jobs: the container that its start or preparation task brings the application from."""
