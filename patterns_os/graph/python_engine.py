"""The state of following a script: where it is, what has been written so far, and what is certain there."""

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from patterns_os.graph.python_findings import READING, STREAMING, WRITING, Findings, Place
from patterns_os.graph.python_modules import Module
from patterns_os.graph.python_values import (
    Class,
    Fields,
    Frame,
    Instance,
    Opaque,
    Opened,
    Region,
    Remainder,
    Routine,
    Value,
    at_run_time,
    lost,
)
from patterns_os.graph.vertices import EVERY_COLUMN, Observed

MOST_STEPS = 20_000
"""Expressions and statements looked at in one script, which bounds the time of hostile sources."""
UNPACKED = "the arguments are unpacked at run time"


class ExhaustedError(Exception):
    """There is too much to follow."""


@dataclass(slots=True)
class Given:
    """The arguments of a call.

    Attributes:
        is_open: Whether there may be further arguments, unpacked at run time.
        unpacked: What these are unpacked from.
    """

    node: ast.Call
    arguments: list[Value] = field(default_factory=list)
    keywords: dict[str, Value] = field(default_factory=dict)
    is_open: bool = False
    unpacked: list[Value] = field(default_factory=list)

    def get(self, position: int, name: str) -> Value | None:
        """Give the argument at the position or of the name; `None` where it is certainly absent."""
        if position < len(self.arguments):
            return self.arguments[position]
        if name in self.keywords:
            return self.keywords[name]
        return lost(UNPACKED) if self.is_open else None

    def values(self) -> list[Value]:
        """Give all that is known to be given."""
        return [*self.arguments, *self.keywords.values()]


@dataclass(slots=True)
class Engine(ABC):
    """What following a script needs at every place.

    Attributes:
        modules: The modules by file, the script first.
        files: All files of the app, to resolve imports.
        written: Ports that have been written before this place.
        looked_at: Ports that are read by what is followed now.
        changes: How often something was changed that belongs to an outer region.
        shields: How many functions given to `once` are being followed.
        guards: How many `try` blocks and checks of types are around this place.
    """

    modules: Mapping[str, Module]
    files: Mapping[str, bytes]
    frame: Frame
    findings: Findings = field(default_factory=Findings)
    region: Region = field(default_factory=Region)
    written: frozenset[str] = frozenset()
    looked_at: frozenset[str] = frozenset()
    steps: int = 0
    changes: int = 0
    shields: int = 0
    guards: int = 0
    routines: list[Routine] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    entered: set[ast.AST] = field(default_factory=set)

    @abstractmethod
    def call(self, callee: Value, given: Given) -> Value:
        """Give what calling the value with these arguments returns."""

    @abstractmethod
    def evaluate(self, node: ast.expr) -> Value:
        """Give what the expression can be, here and now."""

    @abstractmethod
    def call_unknown(self, routine: Routine) -> Value:
        """Give what the function returns for arguments that nobody knows."""

    def step(self) -> None:
        """Count a step.

        Raises:
            ExhaustedError: There were too many.
        """
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise ExhaustedError

    def place(self, node: ast.AST) -> Place:
        """Give the node with the module that is being followed."""
        return self.frame.module, node

    def is_certain(self, region: Region) -> bool:
        """Tell whether a change of what belongs to the region replaces what was there."""
        if region is self.region or self.region.holds(region):
            return True
        self.changes += 1
        return False

    @contextmanager
    def within(self, *, is_loop: bool = False) -> Iterator[Region]:
        """Follow what may run or not, or (a loop) any number of times."""
        before = self.region
        self.region = Region(before, is_loop=is_loop)
        try:
            yield self.region
        finally:
            self.region = before

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Follow what goes on where a column is missing or of another type."""
        self.guards += 1
        try:
            yield
        finally:
            self.guards -= 1

    def touch(self, handle: Opened, name: str, node: ast.AST) -> None:
        """Note that something of a handle is used."""
        self.findings.touch(handle, name)
        if handle.kind != "table":
            return
        if name in WRITING:
            self.written |= {handle.name}
        elif name in READING or name in STREAMING:
            self.looked_at |= {handle.name}
            if handle.name in self.written:
                self.findings.observe(Observed.READ_AFTER_WRITE, handle.name, self.place(node))

    def row(self, handle: Opened, site: ast.AST) -> Fields:
        """Give any row of the table."""
        row = Opaque(at_run_time(site), frozenset({(handle.name, EVERY_COLUMN)}), is_copied=True)
        return Fields(site, self.region, rest=[Remainder(row, handle.name)])

    def need(self, value: Value, column_type: str | None) -> None:
        """Note that a value is used as one of a type."""
        if (
            column_type is not None
            and not self.guards
            and isinstance(value, Opaque)
            and value.origin is not None
        ):
            self.findings.need(value.origin, column_type)

    def register(self, instance: Instance) -> None:
        """Note an object, for methods that nobody is seen to call."""
        pending: list[Value] = [instance.owner]
        seen: set[int] = set()
        while pending:
            owner = pending.pop()
            if isinstance(owner, Class) and id(owner) not in seen:
                seen.add(id(owner))
                owner.instances.append(instance)
                pending += owner.bases
