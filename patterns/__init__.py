"""The SDK of Patterns OS: what scripts import.

    from patterns import File, Model, Parameter, State, Table, run

Scripts run inside Patterns OS (`patterns dev`, `patterns run`, `patterns test`). Nothing here imports anything
outside the standard library.
"""

from patterns.connection import Connection
from patterns.current_run import run
from patterns.effects import once
from patterns.errors import PatternsError
from patterns.file import File
from patterns.model import Model
from patterns.parameter import Parameter
from patterns.secret import Secret
from patterns.state import State
from patterns.stream import Stream
from patterns.table import Table

__all__ = [
    "Connection",
    "File",
    "Model",
    "Parameter",
    "PatternsError",
    "Secret",
    "State",
    "Stream",
    "Table",
    "once",
    "run",
]
