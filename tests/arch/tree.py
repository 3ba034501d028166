"""The repository as the architecture tests see it."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def tracked(*patterns: str) -> list[Path]:
    """Files of the repository, written down or new, without what git ignores."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns], cwd=ROOT
    )
    return sorted({ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()})


def sources() -> list[Path]:
    """The modules of the product."""
    return tracked("relayq/*.py", "tui/relayq_tui/*.py")


def in_package(path: Path) -> Path:
    """A source file's place in the installed packages."""
    return path.relative_to(ROOT / "tui" if path.is_relative_to(ROOT / "tui") else ROOT)


def module_name(path: Path) -> str:
    """The name under which a source file is imported."""
    parts = in_package(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def shown(path: Path) -> str:
    """A path as test names show it."""
    return str(path.relative_to(ROOT))


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
