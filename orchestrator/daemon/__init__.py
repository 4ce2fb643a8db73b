"""The long-running use: takes jobs by HTTP and from a folder, runs many at once, survives restarts."""

from orchestrator.daemon.config import DaemonConfig, DaemonLimits, load_config
from orchestrator.daemon.embedding import setup_orchestrator

__all__ = ["DaemonConfig", "DaemonLimits", "load_config", "setup_orchestrator"]
