"""The built-in handlers: each declares what it consumes and produces, and they meet through events only."""

from orchestrator.handlers.cleanup import CleanupHandler
from orchestrator.handlers.collect import CollectHandler
from orchestrator.handlers.download import DownloadHandler
from orchestrator.handlers.expectations import Expectations, TaskOutputs
from orchestrator.handlers.failed_list import FailedListHandler
from orchestrator.handlers.handler import Handler
from orchestrator.handlers.log import LogHandler
from orchestrator.handlers.progress import Progress, ProgressHandler

__all__ = [
    "CleanupHandler",
    "CollectHandler",
    "DownloadHandler",
    "Expectations",
    "FailedListHandler",
    "Handler",
    "LogHandler",
    "Progress",
    "ProgressHandler",
    "TaskOutputs",
]
