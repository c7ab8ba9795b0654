"""Which functions of a script's modules can run at all.

A module that many scripts import has functions that most of them never call. What the script itself defines counts
as reached; of the other modules, what some code that is reached names.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from patterns_os.graph.python_values import Class, Opaque, Routine, each

_OPEN_DOORS = frozenset(
    {"__import__", "attrgetter", "eval", "exec", "getmembers", "globals", "import_module", "methodcaller"}
)
"""What can reach any function without naming it."""


@dataclass(slots=True)
class Reach:
    """What is named by code that is reached.

    Attributes:
        script: The tree of the script.
        names: All names and attributes that are mentioned.
        is_open: Whether functions can be reached without their name.
    """

    script: ast.Module
    names: set[str] = field(default_factory=set)
    is_open: bool = False
    _seen: set[ast.AST] = field(default_factory=set)

    def look_at(self, nodes: Iterable[ast.AST]) -> None:
        """Take in the names of code that is reached; of modules, what stands outside of functions."""
        for node in nodes:
            if node in self._seen:
                continue
            self._seen.add(node)
            is_whole = node is self.script or not isinstance(node, ast.Module)
            self._take_in(node, is_whole=is_whole)

    def reaches(self, routine: Routine) -> bool:
        """Tell whether the function can be called."""
        node = routine.node
        if self.is_open or routine.frame.module.tree is self.script or isinstance(node, ast.Lambda):
            return True
        if any("()" in path.rpartition(".")[0] for path in routine.decorators):
            # A method of an object keeps the function to call it: `@app.route("/")`.
            return True
        owner = routine.owner
        if owner is None:
            return node.name in self.names and not self._is_wrapper_of_others(routine)
        is_called_by_python = node.name.startswith("__") or _has_foreign_base(owner)
        return bool(owner.instances or self.has(owner)) and (is_called_by_python or node.name in self.names)

    def _is_wrapper_of_others(self, routine: Routine) -> bool:
        """Tell whether it stands, as decorators make it, for functions that nothing names."""
        outermost = routine.frame
        while outermost.outer is not None:
            outermost = outermost.outer
        names = [
            name
            for name, value in outermost.names.items()
            if outermost is not routine.frame
            and any(isinstance(part, Routine) and part.node is routine.node for part in each(value))
        ]
        return bool(names) and not self.names & set(names)

    def has(self, owner: Class) -> bool:
        """Tell whether objects of the class can be made."""
        return self.is_open or owner.frame.module.tree is self.script or owner.node.name in self.names

    def _take_in(self, node: ast.AST, *, is_whole: bool) -> None:
        pending = [node]
        while pending:
            part = pending.pop()
            if isinstance(part, ast.Name):
                self._name(part.id)
            elif isinstance(part, ast.Attribute):
                self._name(part.attr)
            elif isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "getattr":
                self._look_up(part)
            elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not is_whole:
                pending += [] if isinstance(part, ast.Lambda) else part.decorator_list
                continue
            pending += ast.iter_child_nodes(part)

    def _name(self, name: str) -> None:
        self.names.add(name)
        self.is_open = self.is_open or name in _OPEN_DOORS

    def _look_up(self, node: ast.Call) -> None:
        name = node.args[1] if len(node.args) > 1 else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            self.names.add(name.value)
        else:
            self.is_open = True


def _has_foreign_base(owner: Class, depth: int = 0) -> bool:
    bases = owner.bases if depth < 20 else ()  # noqa: PLR2004 - a class may be its own base, in a wrong script
    return any(
        isinstance(base, Opaque) or (isinstance(base, Class) and _has_foreign_base(base, depth + 1))
        for base in bases
    )
