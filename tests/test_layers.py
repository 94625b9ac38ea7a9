"""Imports go down only: the house has floors, and each floor its own few foreign packages.

Read from the source, so that an import inside a function counts too; imports for type checkers do not run.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parent.parent / "softreg"

#: What lives where; a module or package that is not named here has no place yet.
FLOORS = {
    "errors": 0,
    "files": 0,
    "threads": 0,
    "blas": 0,
    "heap": 0,
    "text": 0,
    "softmax": 0,
    "losses": 0,
    "moreau": 0,
    "penalties": 0,
    "rows": 0,
    "kernels": 1,
    "objective": 1,
    "certificate": 1,
    "separation": 1,
    "minimise": 2,
    "solvers": 3,
    "callbacks": 3,
    "gradcheck": 3,
    "training": 4,
    "estimators": 4,
    "explain": 4,
    "metrics": 4,
    "scores": 4,
    "inference": 4,
    "calibration": 4,
    "tables": 4,
    "folds": 4,
    "store": 4,
    "config": 5,
    "report": 5,
    "plots": 5,
    "comparison": 5,
    "html": 5,
    "workflows": 6,
    "cli": 7,
    "__main__": 8,
    "__init__": 8,
}
NUMERIC = {"numpy", "scipy", "threadpoolctl"}
#: Foreign packages that one part of the house may use and no other.
OWNERS = {
    "sklearn": {"estimators", "folds", "comparison", "workflows"},
    "matplotlib": {"plots"},
    "polars": {"tables"},
    "typer": {"cli"},
    "rich": {"cli"},
    "click": {"cli"},
    "pydantic": {"config"},
}


class Import(NamedTuple):
    """One import statement: what is imported, by which module, and whether only when a function is called."""

    module: str
    target: str
    line: int
    lazy: bool

    @property
    def part(self) -> str:
        """The part of the house that imports."""
        return part_of(self.module)

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def part_of(module: str) -> str:
    """softreg.rows.dense -> rows; softreg itself -> __init__."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def module_name(path: Path) -> str:
    names = ["softreg", *path.relative_to(SOURCE).with_suffix("").parts]
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING"


def imports_of(path: Path) -> list[Import]:
    module, found = module_name(path), []

    def visit(node: ast.AST, lazy: bool) -> None:
        if is_for_type_checkers(node):
            for child in node.orelse:
                visit(child, lazy)
            return
        if isinstance(node, ast.Import):
            found.extend(Import(module, alias.name, node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [base])])
            for alias in node.names:  # from package import submodule names the submodule
                full = f"{base}.{alias.name}"
                found.append(Import(module, full if full in all_modules() else base, node.lineno, lazy))
        for child in ast.iter_child_nodes(node):
            visit(child, lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


@cache
def all_modules() -> frozenset[str]:
    return frozenset(module_name(path) for path in SOURCE.rglob("*.py"))


@cache
def all_imports() -> list[Import]:
    return [found for path in sorted(SOURCE.rglob("*.py")) for found in imports_of(path)]


def foreign(found: Import) -> str | None:
    """The foreign package that is imported, if it is one."""
    root = found.target.split(".")[0]
    return None if root == "softreg" or root in sys.stdlib_module_names else root


def test_every_part_of_the_package_lives_on_a_floor():
    parts = {part_of(module) for module in all_modules()}
    assert parts <= FLOORS.keys()


def test_imports_go_down_only():
    up = [
        str(found)
        for found in all_imports()
        if found.target.startswith("softreg.") and FLOORS[part_of(found.target)] > FLOORS[found.part]
    ]
    assert not up


def test_the_package_itself_is_imported_for_its_version_only():
    allowed = [found for found in all_imports() if found.target == "softreg"]
    for found in allowed:
        tree = ast.parse(
            (SOURCE.parent / Path(*found.module.split("."))).with_suffix(".py").read_text(encoding="utf-8")
        )
        names = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "softreg"
            for alias in node.names
        }
        assert names <= {"__version__"}, str(found)


def test_no_module_imports_itself_in_a_circle():
    graph: dict[str, set[str]] = {}
    for found in all_imports():
        if not found.lazy and found.target in all_modules() and found.target not in ("softreg", found.module):
            graph.setdefault(found.module, set()).add(found.target)
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_floors_zero_to_three_use_numpy_scipy_and_threadpoolctl_only():
    strange = [
        str(found) for found in all_imports() if FLOORS[found.part] <= 3 and foreign(found) not in {None, *NUMERIC}
    ]
    assert not strange


def test_every_foreign_package_has_its_place():
    misplaced = [
        str(found)
        for found in all_imports()
        if foreign(found) not in {None, *NUMERIC} and found.part not in OWNERS.get(str(foreign(found)), set())
    ]
    assert not misplaced


def test_workflows_import_scikit_learn_only_where_they_use_it():
    early = [str(f) for f in all_imports() if foreign(f) == "sklearn" and f.part == "workflows" and not f.lazy]
    assert not early


def test_pictures_are_drawn_without_pyplot():
    assert not [str(found) for found in all_imports() if "pyplot" in found.target]


def test_plain_helpers_use_the_standard_library_only():
    plain = {"errors", "files", "text", "threads"}
    assert not [str(found) for found in all_imports() if found.part in plain and foreign(found) is not None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import scipy.sparse", [("scipy.sparse", False)]),
        ("from softreg import losses", [("softreg.losses", False)]),
        ("from softreg.losses import Softmax", [("softreg.losses", False)]),
        ("from . import dense", [("softreg.rows.dense", False)]),
        ("from ..losses import Softmax", [("softreg.losses", False)]),
        ("def f():\n    import polars", [("polars", True)]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import sklearn", [("typing", False)]),
    ],
)
def test_imports_are_read_as_python_reads_them(text, expected, monkeypatch, tmp_path):
    path = tmp_path / "rows" / "new.py"
    path.parent.mkdir()
    path.write_text(text)
    all_modules()  # of the real package
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    assert [(found.target, found.lazy) for found in imports_of(path)] == expected
