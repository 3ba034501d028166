"""The table of commands: `--help`, completion and the reference page are drawn from it.

A command's module is imported only when its name is typed. It offers
`configure(parser)`, which adds the arguments, and `run(args) -> exit code`; one
module may serve a family of names and finds the typed one in `args.command`.
"""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One command: its name, the module that serves it, and one line about it."""

    name: str
    module: str
    summary: str


GROUPS: tuple[tuple[str, tuple[Command, ...]], ...] = (
    (
        "Start here",
        (
            Command("demo", "demo", "see it work: a private hub, three workers, real jobs, checked results"),
            Command("run", "run", "submit a command, follow its output, exit with its code"),
            Command(
                "tui", "tui", "the terminal UI: jobs, workers and what they cost, live; --demo needs no hub"
            ),
            Command("submit", "submit", "submit a command and print the job id; - reads specs from stdin"),
            Command("up", "up", "start the local hub and one worker in the background"),
            Command("down", "up", "stop what `relayq up` started"),
        ),
    ),
    (
        "Jobs",
        (
            Command("jobs", "jobs", "list jobs, newest first"),
            Command("show", "show", "everything about one job"),
            Command("explain", "explain", "why a job stands where it stands"),
            Command("logs", "logs", "the output of a job"),
            Command("fetch", "fetch", "get the files that a job left"),
            Command("wait", "wait", "wait until jobs have ended"),
            Command("cancel", "change", "cancel jobs; running ones are ended"),
            Command("retry", "change", "run finished jobs again under the same id"),
            Command("hold", "change", "keep waiting jobs from starting"),
            Command("release", "change", "let held jobs start"),
            Command("approve", "approve", "let a job of GitHub Actions run that waits for your word"),
            Command("forget", "change", "delete the records of jobs that have ended, and their output"),
            Command("reprioritise", "reprioritise", "move a waiting job forward or back"),
            Command("clone", "clone", "submit a job again as a new one, changed where you say so"),
        ),
    ),
    (
        "Queues and workers",
        (
            Command("queues", "queues", "list queues"),
            Command("queue", "queue", "pause or resume a queue, or set its weight"),
            Command("workers", "workers", "list workers"),
            Command("worker", "worker", "be a worker: run jobs on this machine"),
            Command("quiet", "steer", "tell a worker to take nothing new"),
            Command("stop", "steer", "tell a worker to finish and leave"),
        ),
    ),
    (
        "Schedules",
        (
            Command("schedule", "schedule", "submit a job at times: add, list, change, pause, run by hand"),
            Command("scheduler", "scheduler", "fire the schedules when their time has come"),
        ),
    ),
    (
        "GitHub",
        (
            Command(
                "budget", "budget", "the minutes of GitHub Actions: used, left, foretold, and what was saved"
            ),
            Command("gh", "gh", "start a workflow, list its runs, cancel one"),
            Command("notifier", "notifier", "tell GitHub how jobs ended that ask for it (--notify)"),
        ),
    ),
    (
        "This installation",
        (
            Command(
                "hub", "hub", "start, stop or look at a hub; install one for other machines, invite them"
            ),
            Command("join", "join", "belong to a fleet, by the string that its owner made"),
            Command("revoke", "members", "shut a member out of the fleet: its connection, its key"),
            Command("rotate", "members", "begin a new epoch: seal to new keys from now on"),
            Command(
                "trust", "trust", "let a repository's runs, or somebody's key, submit jobs; let a worker in"
            ),
            Command("service", "service", "have this machine start the worker by itself"),
            Command("doctor", "doctor", "check the hub and this machine, with a remedy for what is wrong"),
            Command("keys", "keys", "show whose jobs run here, and the key that other machines must trust"),
            Command("config", "config", "show the configuration and where each value comes from"),
            Command(
                "policy", "policy", "show what jobs may do on this machine, and why one would be refused"
            ),
            Command("completion", "completion", "print a completion script for bash, zsh or fish"),
            Command("version", "version", "print the version"),
        ),
    ),
)

COMMANDS: dict[str, Command] = {command.name: command for _, group in GROUPS for command in group}
