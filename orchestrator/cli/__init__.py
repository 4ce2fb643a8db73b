"""The command line: one file a verb; `render` for what it shows while a job runs."""
