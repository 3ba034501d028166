"""Every key of a fleet, its type and who writes it, in one table.

All keys share the hash tag `{rq:<fleet>}`, so a fleet lives in one slot and a
function may touch all of it. The Lua library builds its keys from the anchor
`cfg`; Python reads only those that `Keys` names.

| key | type | what |
|---|---|---|
| `cfg` | hash | schema, library revision, epoch, settings, housekeeping clock |
| `j:<id>` | hash | a job (fields: `lua/prelude.lua`) |
| `s:<id>` `r:<id>` | string | its signed spec, its result |
| `ro:<id>` `co:<id>` `ap:<id>` | string | the signed ops that run it again, end it, let it run at all |
| `log:<id>` | stream | its output; id = attempt * 2^44 + position |
| `at:<id>` | list | its earlier attempts |
| `as:` `am:` `ar:` `ax:<id>` | bitfield, set, list, hash | an array's elements (`lua/array.lua`) |
| `dx:` `al:<id>` | set | arrays that wait index by index; elements with a log |
| `ac:<id>` `cut` | set, list | elements told of a cancel; arrays with more to tell (`lua/cut.lua`) |
| `lanes` `lx` `lref` `lkept` `lpast` | hash | lanes (`lua/lanes.lua`) |
| `lused` `lanev` | zset, int | when a lane was last used; their version |
| `q:<lane>` `idle:<lane>` | zset | runnable jobs; idle sessions |
| `delay` `pend` `dl` `lost` `open` `done` `fail` | zset | the index a state demands |
| `dep:<id>` `fan` | list | who waits for a job; finished jobs whose dependents are told |
| `lim:<name>` `ll:<name>` | set | who holds a limit; the lanes that have it |
| `rl:<name>` `uq:<key>` | string | rates, unique keys |
| `names` `wlive` `woff` | hash, zset, zset | workers: name -> session, lease expiry, last heard of |
| `w:` `wj:` `wl:<session>` | hash | a session: offer, jobs, lanes it stands by for |
| `mb:` `fl:<session>` | stream, set | its mailbox, its orders |
| `paused` `qw` `qo` | set, hash, hash | queues paused, queue weights, the signed orders behind both |
| `sh` `shw` | hash, hash | share use and weights |
| `bt:<digest>` `btn` | string, hash | batch records and how many jobs refer to them |
| `b:<sha256>` `bn` | string, hash | input and output files, and how many jobs refer to each |
| `io:<id>` `o:<id>` | set, hash | the files a job refers to; those it left |
| `inn` `in:<name>` | hash, list | inboxes of submit-only users (`lua/inbox.lua`) |
| `ib:` `ig:<name>` `no:<id>` | string | who looks into an inbox; its flood was told; why a job was refused |
| `why:<id>` | string | why it waits, as seen when it was let in, for its sender |
| `bad` `badn` | list, int | what was refused from inboxes |
| `roster` | string | who may do what, signed by the owner |
| `full:<ticket>` | stream | a whole log on its way from a worker's disk (`lua/pull.lua`) |
| `sc` `sk` | hash, zset | schedules: name -> envelope; schedulers by when they were last heard |
| `sd:` `sz:` `sl:<name>` | hash, zset, list | a schedule's state, slots fired out of turn, its history |
| `ev` `n` `hs:<day>` | stream, hash, hash | events, counters, statistics |
| `wu:<day>` | hash | what the work of a day took (`lua/meter.lua`) |
| `bu` `bs` `bh` `br:<month>` `st:<day>` | hash | the minutes of GitHub Actions (`lua/budget.lua`) |
| `nq` `nh` `nr:<id>` | zset, hash, hash | who is told how a job ended (`lua/notices.lua`) |
"""


class Keys:
    """The keys of one fleet."""

    def __init__(self, fleet: str) -> None:
        self.prefix = f"{{rq:{fleet}}}:"
        self.anchor = self.prefix + "cfg"
        self.events = self.prefix + "ev"

    def of(self, kind: str, name: str) -> str:
        """The key of one thing of a kind: `of("log", id)`."""
        return f"{self.prefix}{kind}:{name}"
