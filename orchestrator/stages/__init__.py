"""The steps of a run, one coroutine a file: arguments in, values out, events told; none calls another."""
