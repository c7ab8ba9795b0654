"""What a script may catch.

    PatternsError
    ├── NoHostError      the script was started without Patterns OS
    ├── RunEndedError    a handle was used after its run
    ├── TableError       a table is used in a way that the app does not allow
    ├── ParameterError   a parameter has no value, or one of another type
    ├── ModelError       a model is not bound, refuses, or does not answer
    └── FileError        a file name that is none, or a file that is not there

`family` says whose turn it is: `node` (the author), `temporary` (the world), `permanent` (the configuration).
"""


class PatternsError(Exception):
    """Root of the SDK's errors.

    Attributes:
        code: Stable name of what happened.
        hint: One thing to do, or `None`.
        family: `node`, `temporary` or `permanent`.
    """

    def __init__(
        self, message: str, *, code: str = "node", hint: str | None = None, family: str = "node"
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.family = family


class NoHostError(PatternsError):
    """The script was started without Patterns OS."""

    def __init__(self) -> None:
        super().__init__(
            "This script runs inside Patterns OS: tables, files and models are only there during a run",
            code="no-host",
            hint="start it with `patterns run`, `patterns dev`, or `patterns test NODE --rows rows.json`",
        )


class RunEndedError(PatternsError):
    """A handle was used after its run, by a thread that was left behind."""

    def __init__(self) -> None:
        super().__init__("The run of this handle has ended", code="run-ended")


class TableError(PatternsError):
    """A table is used in a way that the app does not allow."""


class ParameterError(PatternsError):
    """A parameter has no value, or one of another type."""


class ModelError(PatternsError):
    """A model is not bound, refuses the call, or does not answer."""


class FileError(PatternsError):
    """A file name that is none, or a file that is not there."""
