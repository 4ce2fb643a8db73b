"""What the account holds, and how it may change: no clock, no I/O, no waiting."""
