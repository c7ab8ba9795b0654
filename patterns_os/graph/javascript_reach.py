"""What of an imported module runs at all: a function that nobody names touches nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from patterns_os.graph.javascript_modules import Module, Syntax

_NAMES = (
    "identifier",
    "property_identifier",
    "shorthand_property_identifier",
    "shorthand_property_identifier_pattern",
)


@dataclass(frozen=True, slots=True)
class _Function:
    module: str
    name: str
    node: Syntax

    def holds(self, module: str, node: Syntax) -> bool:
        return module == self.module and self.node.start <= node.start and node.end <= self.node.end


def without_unreached(file: str, modules: Mapping[str, Module]) -> dict[str, Module]:
    """Give the modules without the functions of imported ones that no code that may run names.

    Names are compared as they are written, whatever they stand for, so that more counts as reached than is. Where
    members are reached by computed names, all of them are.
    """
    if any(_is_computed(node) for module in modules.values() for node in module.of("subscript_expression")):
        return dict(modules)
    left = [found for name, module in modules.items() if name != file for found in _functions(name, module)]
    said = [
        (name, node, module.text(node)) for name, module in modules.items() for node in module.of(*_NAMES)
    ]
    while True:
        names = {text for name, node, text in said if not any(found.holds(name, node) for found in left)}
        reached = [found for found in left if found.name in names]
        if not reached:
            return {name: _without(name, module, left) for name, module in modules.items()}
        left = [found for found in left if found.name not in names]


def _functions(name: str, module: Module) -> list[_Function]:
    found = []
    for node in module.of("function_declaration", "generator_function_declaration"):
        named = node.fields.get("name")
        outer = node.parent
        is_default = outer is not None and module.text(outer).startswith("export default")
        if named is not None and _is_outermost(node) and not is_default:
            found.append(_Function(name, module.text(named), node))
    return found


def _is_outermost(node: Syntax) -> bool:
    outer = node.parent
    if outer is not None and outer.kind == "export_statement":
        outer = outer.parent
    return outer is not None and outer.kind == "program"


def _is_computed(node: Syntax) -> bool:
    index = node.fields.get("index")
    return index is not None and index.kind not in {"string", "number"}


def _without(name: str, module: Module, left: list[_Function]) -> Module:
    mine = [found for found in left if found.module == name]
    if not mine:
        return module
    nodes = {
        kind: [node for node in entries if not any(found.holds(name, node) for found in mine)]
        for kind, entries in module.nodes.items()
    }
    return replace(module, nodes=nodes)
