"""What can go wrong, sorted by whose turn it is.

    PatternsError
    ├── CompileError         the app's files are wrong: carries every diagnostic found
    ├── UsageError           the command was called wrongly
    ├── NodeError            the author's code failed
    ├── TemporaryError       the world is flaky: the same call may succeed later
    ├── PermanentError       the configuration is wrong: the same call never succeeds
    └── InternalError        we are wrong

Each has a stable `code` (kebab-case), a message, and at most one `hint`, an action that mends it. Errors of
third parties are translated into these at the adapter that met them, with the original as `__cause__`.
"""

from collections.abc import Sequence

from patterns_os.diagnostics import Diagnostic, render_diagnostic, sort_diagnostics


class PatternsError(Exception):
    """Root of all errors that this package raises on purpose.

    Attributes:
        code: Stable name of what happened.
        message: One sentence.
        hint: One thing to do, or `None`.
        exit_code: What the command ends with.
    """

    exit_code = 1

    def __init__(self, message: str, *, code: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint

    def __str__(self) -> str:
        """Give `error[code] message`, and the hint on a line of its own."""
        text = f"error[{self.code}] {self.message}"
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class CompileError(PatternsError):
    """The app does not compile; `diagnostics` has every finding, sorted."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = sort_diagnostics(diagnostics)
        super().__init__(f"{len(self.diagnostics)} findings", code="compile")

    def __str__(self) -> str:
        """Give all findings as text, separated by line ends."""
        return "\n".join(render_diagnostic(found) for found in self.diagnostics)


class UsageError(PatternsError):
    """The command was called with arguments that make no sense together."""

    exit_code = 2


class NodeError(PatternsError):
    """The author's code failed."""


class TemporaryError(PatternsError):
    """The world did not answer; trying again later may help."""

    exit_code = 75


class PermanentError(PatternsError):
    """The configuration is wrong; trying again does not help."""

    exit_code = 78


class InternalError(PatternsError):
    """A promise of this package is broken."""

    exit_code = 70
