"""The completion scripts in the shells that they are for."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.e2e.command_line import printed

BASH = """
compgen_of() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _relayq; printf '%s\\n' "${COMPREPLY[@]}"; }
"""
# What zsh's completion system would give to a function, in place of a terminal that it needs.
ZSH = """
compdef() {}
_files() {}
compadd() { shift; print -l -- ${(M)@:#$words[CURRENT]*} }
_describe() { print -l -- ${(M)${(P)2}%%:*}; print -l -- ${(P)2} }
compgen_of() { words=("$@"); CURRENT=$#; BUFFER="true && $*"; _relayq }
"""


def completed(shell: str, *words: str) -> set[str]:
    """What the shell offers behind these words, the last of which is not finished."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    stub = {"bash": BASH, "zsh": ZSH}[shell]
    script = f'{stub}\n{printed("completion", shell)}\ncompgen_of "$@"'
    bare = "-f" if shell == "zsh" else "--norc"
    ended = subprocess.run(
        [shell, bare, "-c", script, shell, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stderr == ""
    return set(ended.stdout.split())


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_completes_commands_options_and_words(shell: str) -> None:
    assert "submit" in completed(shell, "relayq", "su")
    assert completed(shell, "relayq", "submit", "--na") == {"--name"}
    assert completed(shell, "relayq", "queue", "pa") == {"pause"}
    assert completed(shell, "relayq", "hub", "st") == {"start", "stop", "status"}
