"""Inside a runtime: the supervisor that claims runs, and the node processes that execute them.

A launcher is one supervisor (connection, beats, logs, SQL nodes) and many node processes. A node process serves
one node of one version, one run at a time. The two speak over a socket pair (`wire`) and share a page of memory
with the run's progress (`progress`), which survives the process's death.
"""
