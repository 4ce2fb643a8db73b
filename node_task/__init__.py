"""What runs on a compute node: standard library only, Python 3.8 and up, and nothing of the orchestrator.

The orchestrator ships this folder as one ``node_task.pyz``. The two meet in a command line, in the
environment (``ORCHESTRATOR_OUTPUT_URL``, ``ORCHESTRATOR_OUTPUT_PREFIX``) and in the form of
``manifest.json``; neither imports the other. It is a program, not a library: only its command line is
promised.

The reading order: ``__main__`` (the command line), ``environment`` and ``destination`` (where it runs and
where results go), ``text``, ``topwords`` and ``output`` (the work), ``delivery``, ``manifest``, ``upload``,
``http_put`` and ``retry`` (the way up).
"""
