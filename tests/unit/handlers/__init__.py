"""Tests of `orchestrator/handlers`."""
