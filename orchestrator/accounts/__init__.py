"""The only room that speaks to Azure: a Batch account and its storage account."""

from orchestrator.accounts.account import Account
from orchestrator.accounts.batch import BatchAccount, Creation
from orchestrator.accounts.settings import AccountSettings, settings_from_environment
from orchestrator.accounts.snapshots import TaskCounts, TaskFile
from orchestrator.accounts.storage import StorageAccount
from orchestrator.accounts.submission import AddOutcome, AddStatus

__all__ = [
    "Account",
    "AccountSettings",
    "AddOutcome",
    "AddStatus",
    "BatchAccount",
    "Creation",
    "StorageAccount",
    "TaskCounts",
    "TaskFile",
    "settings_from_environment",
]
