"""Tests of `orchestrator/tracker`."""
