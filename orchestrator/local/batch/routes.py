"""Every operation of the Batch API 2025-06-01, by the name that the SDK gives it.

Source of facts: the SDK's operations and the REST reference. Without a handler an operation is refused by
name (501).
"""

from __future__ import annotations

from typing import Final

from orchestrator.local.batch import (
    files,
    images,
    jobs,
    never_there,
    node_counts,
    nodes,
    pool_scaling,
    pools,
    schedules,
    tasks,
)
from orchestrator.local.batch.account import Account
from orchestrator.local.wire.routing import Handler, Operation

_PAGE: Final = frozenset({"maxresults", "$skiptoken"})
_FILTER: Final = _PAGE | {"$filter"}
_NODE_LIST: Final = _FILTER | {"$select"}
_LIST: Final = _NODE_LIST | {"$expand"}
_GET: Final = frozenset({"$select", "$expand"})
_SELECT: Final = frozenset({"$select"})
_USAGE: Final = _FILTER | {"startTime", "endTime", "endtime"}
_FORCE: Final = frozenset({"force"})
_RECURSIVE: Final = frozenset({"recursive"})
_NONE: Final[frozenset[str]] = frozenset()

_POOL: Final = "/pools/{poolId}"
_NODE: Final = "/pools/{poolId}/nodes/{nodeId}"
_JOB: Final = "/jobs/{jobId}"
_TASK: Final = "/jobs/{jobId}/tasks/{taskId}"
_SCHEDULE: Final = "/jobschedules/{jobScheduleId}"
_FILE: Final = "/files/{filePath*}"


def _line(
    name: str, method: str, path: str, handler: Handler[Account] | None, query: frozenset[str] = _NONE
) -> Operation[Account]:
    return Operation(name=name, method=method, path=path, handler=handler, query=query)


OPERATIONS: Final[tuple[Operation[Account], ...]] = (
    _line("list_applications", "GET", "/applications", never_there.list_applications, _PAGE),
    _line("get_application", "GET", "/applications/{applicationId}", never_there.get_application),
    _line("list_pool_usage_metrics", "GET", "/poolusagemetrics", never_there.list_usage_metrics, _USAGE),
    _line("create_pool", "POST", "/pools", pools.create),
    _line("list_pools", "GET", "/pools", pools.list_all, _LIST),
    _line("begin_delete_pool", "DELETE", _POOL, pools.delete),
    _line("pool_exists", "HEAD", _POOL, pools.exists),
    _line("get_pool", "GET", _POOL, pools.get, _GET),
    _line("update_pool", "PATCH", _POOL, pools.patch),
    _line("disable_pool_auto_scale", "POST", f"{_POOL}/disableautoscale", pool_scaling.disable),
    _line("enable_pool_auto_scale", "POST", f"{_POOL}/enableautoscale", pool_scaling.enable),
    _line("evaluate_pool_auto_scale", "POST", f"{_POOL}/evaluateautoscale", pool_scaling.evaluate),
    _line("begin_resize_pool", "POST", f"{_POOL}/resize", pools.resize),
    _line("begin_stop_pool_resize", "POST", f"{_POOL}/stopresize", pools.stop_resize),
    _line("replace_pool_properties", "POST", f"{_POOL}/updateproperties", pools.replace_properties),
    _line("begin_remove_nodes", "POST", f"{_POOL}/removenodes", pools.remove_nodes),
    _line("list_supported_images", "GET", "/supportedimages", images.list_all, _FILTER),
    _line("list_pool_node_counts", "GET", "/nodecounts", node_counts.list_all, _FILTER),
    _line("begin_delete_job", "DELETE", _JOB, jobs.delete, _FORCE),
    _line("get_job", "GET", _JOB, jobs.get, _GET),
    _line("update_job", "PATCH", _JOB, jobs.patch),
    _line("replace_job", "PUT", _JOB, jobs.replace),
    _line("begin_disable_job", "POST", f"{_JOB}/disable", jobs.disable),
    _line("begin_enable_job", "POST", f"{_JOB}/enable", jobs.enable),
    _line("begin_terminate_job", "POST", f"{_JOB}/terminate", jobs.terminate, _FORCE),
    _line("create_job", "POST", "/jobs", jobs.create),
    _line("list_jobs", "GET", "/jobs", jobs.list_all, _LIST),
    _line("list_jobs_from_schedule", "GET", f"{_SCHEDULE}/jobs", schedules.list_jobs, _LIST),
    _line(
        "list_job_preparation_and_release_task_status",
        "GET",
        f"{_JOB}/jobpreparationandreleasetaskstatus",
        jobs.list_preparation_status,
        _NODE_LIST,
    ),
    _line("get_job_task_counts", "GET", f"{_JOB}/taskcounts", tasks.counts),
    _line("job_schedule_exists", "HEAD", _SCHEDULE, schedules.exists),
    _line("begin_delete_job_schedule", "DELETE", _SCHEDULE, schedules.delete, _FORCE),
    _line("get_job_schedule", "GET", _SCHEDULE, schedules.get, _GET),
    _line("update_job_schedule", "PATCH", _SCHEDULE, schedules.patch),
    _line("replace_job_schedule", "PUT", _SCHEDULE, schedules.replace),
    _line("disable_job_schedule", "POST", f"{_SCHEDULE}/disable", schedules.disable),
    _line("enable_job_schedule", "POST", f"{_SCHEDULE}/enable", schedules.enable),
    _line("begin_terminate_job_schedule", "POST", f"{_SCHEDULE}/terminate", schedules.terminate, _FORCE),
    _line("create_job_schedule", "POST", "/jobschedules", schedules.create),
    _line("list_job_schedules", "GET", "/jobschedules", schedules.list_all, _LIST),
    _line("create_task", "POST", f"{_JOB}/tasks", tasks.create),
    _line("list_tasks", "GET", f"{_JOB}/tasks", tasks.list_all, _LIST),
    _line("create_task_collection", "POST", f"{_JOB}/addtaskcollection", tasks.create_collection),
    _line("delete_task", "DELETE", _TASK, tasks.delete),
    _line("get_task", "GET", _TASK, tasks.get, _GET),
    _line("replace_task", "PUT", _TASK, tasks.replace),
    _line("list_subtasks", "GET", f"{_TASK}/subtasksinfo", tasks.list_subtasks, _SELECT),
    _line("terminate_task", "POST", f"{_TASK}/terminate", tasks.terminate),
    _line("reactivate_task", "POST", f"{_TASK}/reactivate", tasks.reactivate),
    _line("delete_task_file", "DELETE", _TASK + _FILE, files.delete_task_file, _RECURSIVE),
    _line("download_task_file", "GET", _TASK + _FILE, files.get_task_file),
    _line("get_task_file_properties", "HEAD", _TASK + _FILE, files.head_task_file),
    _line("list_task_files", "GET", f"{_TASK}/files", files.list_task_files, _FILTER | _RECURSIVE),
    _line("create_node_user", "POST", f"{_NODE}/users", None),
    _line("delete_node_user", "DELETE", f"{_NODE}/users/{{userName}}", None),
    _line("replace_node_user", "PUT", f"{_NODE}/users/{{userName}}", None),
    _line("get_node", "GET", _NODE, nodes.get, _SELECT),
    _line("begin_reboot_node", "POST", f"{_NODE}/reboot", nodes.reboot),
    _line("begin_start_node", "POST", f"{_NODE}/start", nodes.start),
    _line("begin_reimage_node", "POST", f"{_NODE}/reimage", nodes.reimage),
    _line("begin_deallocate_node", "POST", f"{_NODE}/deallocate", nodes.deallocate),
    _line("disable_node_scheduling", "POST", f"{_NODE}/disablescheduling", nodes.disable_scheduling),
    _line("enable_node_scheduling", "POST", f"{_NODE}/enablescheduling", nodes.enable_scheduling),
    _line("get_node_remote_login_settings", "GET", f"{_NODE}/remoteloginsettings", None),
    _line("upload_node_logs", "POST", f"{_NODE}/uploadbatchservicelogs", None),
    _line("list_nodes", "GET", f"{_POOL}/nodes", nodes.list_all, _NODE_LIST),
    _line(
        "get_node_extension",
        "GET",
        f"{_NODE}/extensions/{{extensionName}}",
        never_there.get_extension,
        _SELECT,
    ),
    _line("list_node_extensions", "GET", f"{_NODE}/extensions", never_there.list_extensions, _PAGE | _SELECT),
    _line("delete_node_file", "DELETE", _NODE + _FILE, files.delete_node_file, _RECURSIVE),
    _line("download_node_file", "GET", _NODE + _FILE, files.get_node_file),
    _line("get_node_file_properties", "HEAD", _NODE + _FILE, files.head_node_file),
    _line("list_node_files", "GET", f"{_NODE}/files", files.list_node_files, _FILTER | _RECURSIVE),
)
