"""Tests of `orchestrator/journal`."""
