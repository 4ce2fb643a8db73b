"""What an account keeps over a restart: one SQLite file, one thread that writes it."""
