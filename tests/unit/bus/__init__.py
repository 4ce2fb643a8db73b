"""Tests of `orchestrator/bus`."""
