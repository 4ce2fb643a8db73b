"""The node agent: the small process that is a compute node of the local service.

It is started by path, without site packages, and imports the standard library only, so that it stays
small: spawning from a large process was measured at 20 processes a second, from a small one at 760.
`main` is the protocol loop, `attempt` one run of one command, the other files one idea each.
"""
