"""Nothing grows out of one reader's sight; functions are ruff's business."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.arch.tree import ROOT, shown, sources, tracked

FILE_LINES_MAX = 400
PUBLIC_METHODS_MAX = 15
README_LINES_MAX = 150
HOOKS = ("on_", "action_", "watch_", "validate_")


def test_a_file_can_be_read_in_one_sitting() -> None:
    code = [path for path in tracked("*.py", "*.lua") if path.relative_to(ROOT).parts[0] != "tests"]
    lines = {shown(path): len(path.read_text().splitlines()) for path in code}
    assert {name: count for name, count in lines.items() if count > FILE_LINES_MAX} == {}


def test_a_class_has_few_public_methods() -> None:
    counts = {
        f"{shown(path)}: {node.name}": len(public_methods(node))
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    assert {name: count for name, count in counts.items() if count > PUBLIC_METHODS_MAX} == {}


def public_methods(node: ast.ClassDef) -> list[str]:
    """The methods that a class offers to others: no facts (properties), no hooks of a framework."""
    methods = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
    verbs = [item for item in methods if "property" not in map(ast.unparse, item.decorator_list)]
    return [item.name for item in verbs if not item.name.startswith(("_", *HOOKS))]


def test_a_module_says_in_one_sentence_what_it_is_for() -> None:
    openings = {
        shown(path): (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
        for path in sources()
    }
    assert {name: line for name, line in openings.items() if not line.endswith((".", ":", "?"))} == {}


def opening(path: Path) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES_MAX
