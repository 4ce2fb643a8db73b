"""The daemon's HTTP API: one table of routes makes both the application and its description."""
