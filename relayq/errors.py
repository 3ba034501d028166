"""Every error that leaves RelayQ, as one tree. Each message is a sentence for a person.

RelayQError                    something RelayQ itself could not do           exit 125
├── UsageError                 a command line that makes no sense             exit 2
├── SpecError                  a job spec that is refused: field and limit    exit 2
├── ConfigError                a configuration file or variable
│   └── TypedError             a setting that was typed or passed              exit 2
├── Refused                    trust: a signature, a key, a policy
│   └── NoTicket               a join string, or a part of one, that is none     exit 2
├── NotFound                   something that is not there (any more)
│   └── UnknownName            no such job, worker, schedule, member           exit 2
├── AmbiguousId                an id suffix that fits two jobs                exit 2
├── NameTaken                  a file, member or policy is there already      exit 2
├── WorkerError                a worker cannot start here
├── HubError                   the hub
│   ├── HubUnreachable         nobody answers, or the link broke
│   ├── HubDenied              wrong user or password (never tried twice)
│   ├── HubFull                no room for new jobs: its memory or its disk is full
│   ├── HubTooOld              server below the floor (Redis 7.0)
│   └── HubSchema              the hub speaks another schema version
├── GitHubError                GitHub
│   ├── GitHubDenied           no token, a wrong one, or one without the right
│   ├── GitHubMissing          no such repository, workflow or run, or none that the token may see
│   ├── GitHubLimited          no more requests for now: `wait_s`
│   ├── GitHubInvalid          GitHub refuses what was asked
│   └── GitHubUnavailable      no answer, or a broken one; `is_unsure` when a post may have been made
├── JobError                   the job itself                                 exit 1
│   ├── JobFailed              exit_code, log_tail, reason
│   ├── JobCancelled
│   ├── JobSkipped             a dependency did not do what was needed
│   └── JobExpired             not started before its deadline
├── WaitTimeout                waiting ended, the job goes on                 exit 124
└── OutputTruncated            more output than was kept
"""


class RelayQError(Exception):
    """Something RelayQ itself could not do; `str()` is one sentence for a person."""

    exit_code = 125


class UsageError(RelayQError):
    """A command line that makes no sense."""

    exit_code = 2


class SpecError(RelayQError):
    """A job spec that is refused; nothing was queued."""

    exit_code = 2


class ConfigError(RelayQError):
    """A configuration file or variable that cannot be used."""


class TypedError(ConfigError):
    """A setting that cannot be used and stands in no file: it was typed, or passed by a program."""

    exit_code = 2


class Refused(RelayQError):
    """Trust said no: a signature, a key, a fleet, an expiry or a policy.

    `told` is what the hub may know of it, where `why` holds words of the job.
    """

    def __init__(self, why: str, told: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.told = told or why


class NoTicket(Refused):
    """A join string, or a name or address for one, that is none: cut off, mistyped, or not made by us."""

    exit_code = 2


class NotFound(RelayQError):
    """Something that is not there, or no longer."""


class UnknownName(NotFound):
    """A name that nothing has: no such job, worker, schedule or member."""

    exit_code = 2


class AmbiguousId(RelayQError):
    """An id suffix that fits more than one job."""

    exit_code = 2


class NameTaken(RelayQError):
    """Under that name there is something already; it was left as it is."""

    exit_code = 2


class WorkerError(RelayQError):
    """A worker cannot start here."""


class HubError(RelayQError):
    """The hub cannot be used."""


class HubUnreachable(HubError):
    """Nobody answers at the hub's address, or the link broke."""


class HubDenied(HubError):
    """The hub refused the user or password; trying again cannot help."""


class HubFull(HubError):
    """The hub's memory or disk has no room for new jobs; nothing was queued."""


class HubTooOld(HubError):
    """The server at the hub's address is older than Redis 7.0."""


class HubSchema(HubError):
    """The hub carries another schema version of the function library."""


class GitHubError(RelayQError):
    """GitHub did not do what was asked."""


class GitHubDenied(GitHubError):
    """There is no token, it is refused, or it lacks the right."""


class GitHubMissing(GitHubError):
    """GitHub knows no such thing, or hides it from this token."""


class GitHubLimited(GitHubError):
    """GitHub takes no more requests for now; `wait_s` is how long."""

    def __init__(self, message: str, wait_s: float = 60.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class GitHubInvalid(GitHubError):
    """GitHub refuses what was asked; asking again cannot help."""


class GitHubUnavailable(GitHubError):
    """No answer, or a broken one. `is_unsure`: what was posted may have been taken nevertheless."""

    def __init__(self, message: str, *, is_unsure: bool = False) -> None:
        super().__init__(message)
        self.is_unsure = is_unsure


class JobError(RelayQError):
    """A job that did not succeed; `job` is its id."""

    exit_code = 1

    def __init__(self, message: str, job: str = "") -> None:
        super().__init__(message)
        self.job = job


class JobFailed(JobError):
    """A job whose last attempt failed.

    `exit_code` is the command's own (128 + n after signal n), `log_tail` the end
    of its output, `reason` one of exit, timeout, crash_limit, refused.
    """

    def __init__(self, message: str, job: str = "", **facts: object) -> None:
        super().__init__(message, job)
        code = facts.get("exit_code", 1)
        self.exit_code = code if isinstance(code, int) else 1
        self.log_tail = str(facts.get("log_tail", ""))
        self.reason = str(facts.get("reason", "exit"))


class JobCancelled(JobError):
    """A job that was cancelled."""


class JobSkipped(JobError):
    """A job that never ran because a dependency did not do what was needed."""


class JobExpired(JobError):
    """A job that was not started before its deadline."""


class WaitTimeout(RelayQError, TimeoutError):
    """Waiting ended before the job did; the job goes on."""

    exit_code = 124


class OutputTruncated(RelayQError):
    """The job wrote more output than was kept in the hub."""
