"""The package's source as the tests of its structure see it: files, modules and imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "vjepa_mpc"
GENERATED = ("vjepa_mpc.msg", "vjepa_mpc.srv", "vjepa_mpc.action")  # by ROS


@dataclass(frozen=True)
class Import:
    """One import statement's module; for ``from module import name`` with the name.

    Attributes:
        module: full name of what is imported, such as "vjepa_mpc.geometry.pose".
        name: what is taken from it; empty for a plain import.
        line: in the file.
        deferred: it stands inside a function, so that nothing is imported before that is called.
    """

    module: str
    name: str
    line: int
    deferred: bool


def python_files(*folders: str) -> list[Path]:
    """All Python files of these folders of the repository, in order."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tree(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module_name(path: Path) -> str:
    """Of a file of the repository, such as "vjepa_mpc.geometry.pose"; a package's is without ``__init__``."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Every import of a file, also inside functions and under TYPE_CHECKING; relative ones by their full names."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[Import]:
    package = module_name(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    nodes = tree(path)
    functions = [node for node in ast.walk(nodes) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    deferred = {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(nodes):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, "", node.lineno, id(node) in deferred)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, id(node) in deferred)


@cache
def definitions(path: Path) -> frozenset[str]:
    """The names that a file itself defines at its top level, which are not the ones that it imports."""
    found = set()
    for node in ast.walk(ast.Module(body=_top_level(tree(path).body), type_ignores=[])):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return frozenset(found)


def _top_level(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements without what is inside functions and classes."""
    kept: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            kept.append(ast.copy_location(ast.ClassDef(node.name, [], [], [], []), node))
        else:
            kept.append(node)
    return kept
