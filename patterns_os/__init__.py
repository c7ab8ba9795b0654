"""Patterns OS, the host side: compiles an app folder into a graph and runs it.

User code imports `patterns` (the SDK), never this package. Nothing here is a public promise except the
`patterns` command, the two file formats in `schemas/` and `patterns_os.testing`.
"""

__version__ = "0.1.0"
