"""`relayq completion bash | zsh | fish`: a completion script, made from the parsers themselves."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from relayq.cli.commands import COMMANDS
from relayq.cli.exit_codes import OK

BASH = """\
# relayq completion for bash: eval "$(relayq completion bash)"
_relayq() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} words
    case "$command" in
{cases}
        *) words="{commands}" ;;
    esac
    [ "$COMP_CWORD" -eq 1 ] && words="{commands}"
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _relayq relayq
"""

ZSH = """\
#compdef relayq
# relayq completion for zsh: eval "$(relayq completion zsh)"
_relayq() {{
    local -a known
    if (( CURRENT == 2 )); then
        known=({described})
        _describe command known
        return
    fi
    case "$words[2]" in
{cases}
    esac
    compadd -- $known
    _files
}}
compdef _relayq relayq
"""

FISH = """\
# relayq completion for fish: relayq completion fish | source
{lines}
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[args.shell](), end="")
    return OK


def words_of() -> Iterator[tuple[str, list[str]]]:
    """Each command with its options and the words it takes."""
    from relayq.cli.parser import parser_of

    for command in COMMANDS.values():
        parser, _ = parser_of(command)
        words: list[str] = []
        for action in parser._actions:
            words += action.option_strings
            if action.choices and not action.option_strings:
                words += [str(choice) for choice in action.choices]
        yield command.name, words


def _bash() -> str:
    cases = "\n".join(f'        {name}) words="{" ".join(words)}" ;;' for name, words in words_of())
    return BASH.format(cases=cases, commands=" ".join(COMMANDS))


def _zsh() -> str:
    cases = "\n".join(f"        {name}) known=({' '.join(words)}) ;;" for name, words in words_of())
    described = " ".join(f"'{command.name}:{_quoted(command.summary)}'" for command in COMMANDS.values())
    return ZSH.format(cases=cases, described=described)


def _fish() -> str:
    lines = [
        f"complete -c relayq -n __fish_use_subcommand -f -a {command.name} -d '{_quoted(command.summary)}'"
        for command in COMMANDS.values()
    ]
    for name, words in words_of():
        seen = f"complete -c relayq -n '__fish_seen_subcommand_from {name}'"
        lines += [f"{seen} -l {word[2:]}" for word in words if word.startswith("--")]
        plain = [word for word in words if not word.startswith("-")]
        lines += [f"{seen} -f -a '{' '.join(plain)}'"] if plain else []
    return FISH.format(lines="\n".join(lines))


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''").replace(":", "\\:")
