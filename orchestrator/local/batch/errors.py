"""One function for each refusal that a Batch resource may meet.

Sources of facts: recorded (PoolNotFound, JobNotFound, TaskNotFound, JobExists, PoolBeingDeleted,
OperationNotValidOnNode, JobPreparationTaskOrReleaseTaskNotSpecified); the REST page "Batch Status and Error
Codes" for the rest.
"""

from __future__ import annotations

from orchestrator.local.wire.api_error import ApiError


def application_not_found() -> ApiError:
    """No such application."""
    return ApiError(404, "ApplicationNotFound", "The specified application does not exist.")


def pool_not_found() -> ApiError:
    """No such pool."""
    return ApiError(404, "PoolNotFound", "The specified pool does not exist.")


def pool_exists() -> ApiError:
    """The pool's id is taken."""
    return ApiError(409, "PoolExists", "The specified pool already exists.")


def pool_being_deleted() -> ApiError:
    """The pool is on its way out."""
    message = "The specified pool has been marked for deletion and is being reclaimed."
    return ApiError(409, "PoolBeingDeleted", message)


def pool_being_resized() -> ApiError:
    """The pool has to be steady first."""
    return ApiError(409, "PoolBeingResized", "The specified pool is being resized.")


def too_many_enable_auto_scale_requests() -> ApiError:
    """Automatic scaling was enabled a moment ago."""
    message = "Too many requests to enable automatic scaling of the pool. Please try again later."
    return ApiError(503, "TooManyEnableAutoScaleRequests", message)


def auto_scale_not_enabled() -> ApiError:
    """A formula can be tried on a pool that is scaled automatically only."""
    message = "The specified pool does not have automatic scaling enabled."
    return ApiError(409, "AutoScaleNotEnabled", message)


def pool_scales_itself() -> ApiError:
    """A pool that is scaled automatically has no size of its own."""
    return operation_invalid_now("The pool has automatic scaling enabled")


def node_not_found() -> ApiError:
    """No such node, or no longer."""
    return ApiError(404, "NodeNotFound", "The specified node does not exist.")


def node_not_ready() -> ApiError:
    """The node has not booted yet."""
    return ApiError(409, "NodeNotReady", "The specified node is not ready.")


def node_state_unusable() -> ApiError:
    """The node's state does not allow it."""
    return ApiError(409, "NodeStateUnusable", "The specified node is unusable.")


def node_being(what: str) -> ApiError:
    """The node is busy becoming something else.

    Args:
        what: `Created`, `Started`, `Rebooted` or `Reimaged`.
    """
    return ApiError(409, f"NodeBeing{what}", f"The specified node is being {what.lower()}.")


def node_already_scheduled_so() -> ApiError:
    """Scheduling on the node already is as asked."""
    message = "The specified node is already in the target scheduling state."
    return ApiError(409, "NodeAlreadyInTargetSchedulingState", message)


def operation_not_valid_on_node(reason: str) -> ApiError:
    """The operation makes no sense for this node."""
    message = "The specified operation is not valid on the node."
    return ApiError(409, "OperationNotValidOnNode", message, Reason=reason)


def operation_invalid_now(reason: str) -> ApiError:
    """The resource's state does not allow it."""
    message = "The specified operation is not valid for the current state of the resource."
    return ApiError(409, "OperationInvalidForCurrentState", message, Reason=reason)


def job_not_found() -> ApiError:
    """No such job."""
    return ApiError(404, "JobNotFound", "The specified job does not exist.")


def job_exists() -> ApiError:
    """The job's id is taken."""
    return ApiError(409, "JobExists", "The specified job already exists.")


def job_completed() -> ApiError:
    """The job is over."""
    return ApiError(409, "JobCompleted", "The specified job is already in a completed state.")


def job_being_terminated() -> ApiError:
    """The job is ending."""
    return ApiError(409, "JobBeingTerminated", "The specified job is being terminated.")


def job_being_deleted() -> ApiError:
    """The job is on its way out."""
    message = "The specified job has been marked for deletion and is being garbage collected."
    return ApiError(409, "JobBeingDeleted", message)


def job_has_no_preparation_or_release() -> ApiError:
    """Neither task is there whose status is asked for."""
    message = "The specified job does not have either job preparation task or job release task."
    return ApiError(409, "JobPreparationTaskOrReleaseTaskNotSpecified", message)


def job_schedule_not_found() -> ApiError:
    """No such job schedule."""
    return ApiError(404, "JobScheduleNotFound", "The specified job schedule does not exist.")


def job_schedule_exists() -> ApiError:
    """The job schedule's id is taken."""
    return ApiError(409, "JobScheduleExists", "The specified job schedule already exists.")


def job_schedule_being_deleted() -> ApiError:
    """The job schedule is on its way out."""
    message = "The specified job schedule has been marked for deletion and is being garbage collected."
    return ApiError(409, "JobScheduleBeingDeleted", message)


def job_schedule_being_terminated() -> ApiError:
    """The job schedule is ending."""
    return ApiError(409, "JobScheduleBeingTerminated", "The specified job schedule is being terminated.")


def job_schedule_completed() -> ApiError:
    """The job schedule is over."""
    message = "The specified job schedule is already in a completed state."
    return ApiError(409, "JobScheduleCompleted", message)


def job_with_same_id_exists() -> ApiError:
    """A job has the id that a job schedule asks for."""
    return ApiError(409, "JobWithSameIdExists", "A job with the specified id already exists.")


def job_schedule_with_same_id_exists() -> ApiError:
    """A job schedule has the id that a job asks for."""
    message = "A job schedule with the specified id already exists."
    return ApiError(409, "JobScheduleWithSameIdExists", message)


def task_not_found() -> ApiError:
    """No such task."""
    return ApiError(404, "TaskNotFound", "The specified task does not exist.")


def task_exists() -> ApiError:
    """The task's id is taken in its job."""
    return ApiError(409, "TaskExists", "The specified task already exists.")


def task_completed() -> ApiError:
    """The task is over."""
    return ApiError(409, "TaskCompleted", "The specified task is already in a completed state.")


def task_not_completed() -> ApiError:
    """Only a task that is over can be reactivated."""
    return ApiError(409, "TaskNotCompleted", "The specified task is not in a completed state.")


def task_succeeded() -> ApiError:
    """Only a task that failed can be reactivated."""
    return ApiError(409, "TaskSucceeded", "The specified task completed successfully.")


def task_id_same_as_preparation() -> ApiError:
    """The id belongs to the job's preparation task."""
    message = "The specified task has the same id as the job preparation task."
    return ApiError(409, "TaskIdSameAsJobPreparationTask", message)


def task_id_same_as_release() -> ApiError:
    """The id belongs to the job's release task."""
    message = "The specified task has the same id as the job release task."
    return ApiError(409, "TaskIdSameAsJobReleaseTask", message)


def pool_quota_reached() -> ApiError:
    """The account has as many pools as it may have."""
    return ApiError(409, "PoolQuotaReached", "The pool quota for the account has been reached.")


def job_quota_reached() -> ApiError:
    """The account has as many active jobs and job schedules as it may have."""
    message = "Active job and job schedule quota for the account has been reached."
    return ApiError(409, "ActiveJobAndScheduleQuotaReached", message)


def task_files_cleaned_up() -> ApiError:
    """The task's retention time is over."""
    return ApiError(409, "TaskFilesCleanedup", "The files of the specified task are cleaned up.")


def task_files_unavailable() -> ApiError:
    """The task never was on a node."""
    message = "The specified operation is not supported as the task files are not available."
    return ApiError(409, "TaskFilesUnavailable", message)


def dependencies_not_specified() -> ApiError:
    """The job does not use task dependencies, the task does."""
    message = "The specified task has dependencies, but the job does not have usesTaskDependencies set."
    return ApiError(400, "TaskDependenciesNotSpecifiedOnJob", message)


def dependency_list_too_long(limit: int) -> ApiError:
    """The ids that a task depends on are too many."""
    message = "The list of task dependencies is too long."
    return ApiError(400, "TaskDependencyListTooLong", message, MaxLimit=str(limit))


def dependency_ranges_too_long(limit: int) -> ApiError:
    """The ranges that a task depends on are too many or too long."""
    message = "The task dependency ranges are too long."
    return ApiError(400, "TaskDependencyRangesTooLong", message, MaxLimit=str(limit))


def file_not_found() -> ApiError:
    """No such file."""
    return ApiError(404, "FileNotFound", "The specified file does not exist.")
