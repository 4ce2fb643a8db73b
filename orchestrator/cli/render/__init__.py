"""What the command line shows while a job runs: text (live or plain lines), JSON lines, or nothing."""
