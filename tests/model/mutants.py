"""Break the library on purpose, one line at a time, and see that the suite notices.

`python -m tests.model.mutants [--sample N] [--seed S] [NAME...]` puts each mutant into
a fresh interpreter (tests/model/mutated.py loads it into the test's server), runs the
part of the suite that should kill it, and prints which survive; it exits with 1 if any does.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from relayq.store import scripts
from tests.mutation import ROOT, passes, try_out

PLUGIN = "tests.model.mutated"
VARIABLE = "RELAYQ_TEST_MUTANT"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong line: `before` stands once in the file, `after` takes its place; `suite` should notice."""

    name: str
    file: str
    before: str
    after: str
    suite: str

    def apply(self, parts: dict[str, str]) -> dict[str, str]:
        """The library with this mistake in it."""
        text = parts[self.file]
        assert text.count(self.before) == 1, f"{self.name}: {text.count(self.before)} places in {self.file}"
        return {**parts, self.file: text.replace(self.before, self.after)}


MUTANTS = (
    # submit
    Mutant("duplicate taken", "submit.lua", "'j:' .. job.i) == 1", "'j:' .. job.i) == 2", "submit"),
    Mutant("full hub takes jobs", "submit.lua", "if refusal then return refusal end", "", "submit"),
    Mutant("another schema's hub takes jobs", "entry.lua", "moved_on(x) or R.submit", "R.submit", "submit"),
    Mutant("too many lanes", "submit.lua", "if count > R.lanes_left(x)", "if count > 512", "submit"),
    Mutant(
        "begun array replaced",
        "submit.lua",
        "and (tonumber(j[2]) or 0) == 0",
        "",
        "submit",
    ),
    Mutant(
        "other indices waited for", "submit.lua", "if tonumber(size) ~= job.n or", "if false and", "arrays"
    ),
    Mutant("key kept", "finish.lua", "if j[2] then R.unique_ended", "if false then R.unique_ended", "submit"),
    Mutant("window never ends", "unique.lua", "tonumber(free) <= x.now", "tonumber(free) <= 0", "submit"),
    Mutant("own window refuses", "control.lua", "holder and holder ~= id", "holder", "submit"),
    # dependencies
    Mutant("fan-out counts twice", "fan_out.lua", "'d', -1)", "'d', -2)", "submit"),
    Mutant("any failure will do", "fan_out.lua", "return state == 'F'", "return state ~= 'S'", "submit"),
    Mutant("fan-out stops early", "sync.lua", "R.fan_wait(x) or HEARTBEAT", "HEARTBEAT", "submit"),
    Mutant("fan-out waits for ticks", "tick.lua", "    R.fan_on(x, cfg[3])\n", "", "submit"),
    Mutant(
        "everybody comes for the rest",
        "fan_out.lua",
        "x.tells = who == x.session",
        "x.tells = true",
        "submit",
    ),
    Mutant("told after a forced run", "fan_out.lua", "or not j[2] then", "then", "submit"),
    Mutant("old end told to new ones", "control.lua", "  R.fan_again(x, id)\n", "", "submit"),
    # schedules
    Mutant("slot below the floor fired", "schedules.lua", "slot <= floor or", "", "schedules"),
    Mutant(
        "slot out of turn forgotten", "schedules.lua", "or call('ZSCORE'", "and call('ZSCORE'", "schedules"
    ),
    Mutant("floor stays", "schedules.lua", "'fl', int(upto))", "'fl', int(floor))", "schedules"),
    Mutant("paused one fires", "schedules.lua", "if sd.p then return {'paused'} end", "", "schedules"),
    Mutant("resumed one makes up", "schedules.lua", "  raise_floor(x, name, x.now)\n", "", "schedules"),
    Mutant("old rule fires", "schedules.lua", "(request.rev and request.rev ~= sd.v) or", "", "schedules"),
    Mutant("twin of another rule", "schedules.lua", "request.rule ~= sd.r", "false", "schedules"),
    Mutant(
        "edit of another's edit", "schedules.lua", "if rev and rev ~= request.rev", "if false", "schedules"
    ),
    Mutant("overlap never skips", "schedules.lua", "if policy == 'skip' then", "if false then", "schedules"),
    Mutant(
        "queue does not wait",
        "schedules.lua",
        "if before then routing.af",
        "if false then routing.af",
        "schedules",
    ),
    Mutant("missed counted twice", "schedules.lua", "request.floor ~= floor then", "false then", "schedules"),
    Mutant("twin's slot missed", "schedules.lua", "math.max(0, early - met)", "0", "schedules"),
    # reports
    Mutant("no fence by attempt", "report.lua", "tonumber(j[2]) ~= report.attempt or", "", "outcomes"),
    Mutant("no fence by session", "report.lua", "or j[3] ~= session then", "then", "outcomes"),
    Mutant("late success lost", "report.lua", "if j[5] and", "if false and", "outcomes"),
    Mutant("late failure counts", "report.lua", "if j[5] and report.outcome == 'ok'", "if j[5]", "outcomes"),
    Mutant("crash uses an attempt", "report.lua", "- (tonumber(j[2]) or 0) -", "-", "outcomes"),
    Mutant("hand-back uses an attempt", "report.lua", "'v', 1)", "'v', 0)", "outcomes"),
    Mutant("cancel forgotten at the end", "report.lua", "if asked or outcome", "if outcome", "outcomes"),
    Mutant("limit kept by a retry", "report.lua", "  R.free_limits(x, R.lane(x, j[5]), id)\n", "", "sync"),
    Mutant(
        "backoff not capped",
        "report.lua",
        "math.min(report.cap or 0,",
        "math.max(report.cap or 0,",
        "outcomes",
    ),
    # cancel
    Mutant(
        "cancel flag not set",
        "control.lua",
        "  call('HSET', x.P .. 'j:' .. id, 'cx', flag)\n  R.event",
        "  R.event",
        "outcomes",
    ),
    Mutant(
        "cancel order not repeated",
        "letters.lua",
        "call('SADD', x.P .. 'fl:'",
        "call('SREM', x.P .. 'fl:'",
        "outcomes",
    ),
    # lost and found
    Mutant("lost job still held", "lose.lua", "    R.leave(x, id, 'N')\n", "", "outcomes"),
    Mutant("orders of the dead kept", "letters.lua", "'k' .. id, 'w' .. id)", "'k' .. id)", "control"),
    Mutant("no grace", "lose.lua", "math.max(MINUTE,", "math.min(0,", "outcomes"),
    Mutant("endless grace", "lose.lua", "math.min(10 * MINUTE,", "math.max(10 * MINUTE,", "outcomes"),
    Mutant("one crash too many", "lose.lua", "crashes >= CRASH_LIMIT", "crashes > CRASH_LIMIT", "outcomes"),
    Mutant("limit kept by the lost", "lose.lua", "  R.free_limits(x, facts, id)\n", "", "outcomes"),
    Mutant("anybody adopts", "register.lua", "== name and (j.s", "and (j.s", "outcomes"),
    Mutant("adopted beyond the limit", "register.lua", "if why == 'limit' then", "if false then", "outcomes"),
    Mutant("adopted from its runner", "register.lua", "(j.s == 'U' or j.ls)", "true", "outcomes"),
    Mutant("crash stays after adoption", "register.lua", "'c', -1)", "'c', 0)", "outcomes"),
    Mutant("live name taken", "register.lua", "and R.online(x, old) then", "and false then", "sync"),
    # sync
    Mutant(
        "lost claim not sent again",
        "sync.lua",
        "if request.held[id] ~= attempt then",
        "if false then",
        "sync",
    ),
    Mutant("gone not named", "sync.lua", "gone[#gone + 1] = id end", "end", "sync"),
    Mutant("room offered twice", "sync.lua", "  call('HDEL', x.P .. 'w:' .. session, 'fr')", "", "sync"),
    Mutant(
        "idle room not checked",
        "ready.lua",
        "if covers(free, cost) then return",
        "if true then return",
        "sync",
    ),
    Mutant("preference ignored", "ready.lua", "(cost.w or 0) <= age", "true", "sync"),
    Mutant(
        "pushed from a paused queue",
        "ready.lua",
        "'paused', facts.q) == 1",
        "'paused', facts.q) == 2",
        "sync",
    ),
    Mutant("limit ignored", "limits.lua", "holders(x, name) >= most", "holders(x, name) > most", "sync"),
    Mutant(
        "rate ignored",
        "limits.lua",
        "if wait > 0 then return math.ceil",
        "if false then return math.ceil",
        "sync",
    ),
    Mutant(
        "more held than counted",
        "limits.lua",
        "id)\n    x.holders[name] = nil\n  end\nend\n\nfunction R.take",
        "id)\n  end\nend\n\nfunction R.take",
        "sync",
    ),
    Mutant("room goes to any lane", "limits.lua", "return a[2] < b[2]", "return a[2] > b[2]", "sync"),
    Mutant("every lane wakes", "lanes.lua", "if x.has_told then return end", "", "sync"),
    Mutant(
        "limit asked once a claim", "claim.lua", "not limited or may_still(x, known, waits)", "true", "sync"
    ),
    Mutant("limit kept at the end", "finish.lua", "    R.free_limits(x, facts, id)\n", "", "sync"),
    Mutant(
        "priority upside down",
        "prelude.lua",
        "ready - (tonumber(priority)",
        "ready + (tonumber(priority)",
        "sync",
    ),
    Mutant("order of a batch lost", "prelude.lua", "x.micro = x.micro + 1", "x.micro = 1", "sync"),
    Mutant("counter drifts", "prelude.lua", "(x.counts[from] or 0) - 1", "(x.counts[from] or 0)", "sync"),
    # the clock
    Mutant(
        "leases of a wrong time",
        "clock.lua",
        "'wlive', most, session)",
        "'wlive', 'NX', most, session)",
        "clock",
    ),
    Mutant(
        "begun in a wrong year",
        "clock.lua",
        "'wj:' .. session)) do correct(",
        "'wj:' .. session)) do R.job(",
        "clock",
    ),
    Mutant("line of a wrong year", "clock.lua", "  correct_lanes(x, by)\n", "", "clock"),
    Mutant("kept since a wrong year", "clock.lua", "'open', 'done', 'fail'}", "'open'}", "clock"),
    Mutant("window of a wrong year", "clock.lua", "if window then", "if false then", "clock"),
    Mutant(
        "early deadline", "clock.lua", ", 'D', function(id) return is_ahead(x, id) end)", ", 'D')", "clock"
    ),
    Mutant(
        "inbox of a wrong year", "clock.lua", "call('DEL', x.P .. 'ib:' .. name)", "local _ = name", "clock"
    ),
    Mutant("share of a wrong year", "clock.lua", "  R.shares_by_now(x)\n", "", "clock"),
    Mutant("worker of a wrong year", "clock.lua", "{'woff', 'lused', 'sk'}", "{'lused', 'sk'}", "clock"),
    Mutant("slots of a wrong year", "clock.lua", "if by > DAY then R.slots_by_now(x) end", "", "schedules"),
    Mutant("slots fired twice", "clock.lua", "if by > DAY then R.slots", "if true then R.slots", "schedules"),
    Mutant("retries of a wrong time", "clock.lua", "return j[1] or j[2] and", "return j[2] and", "clock"),
    Mutant("named times are moved", "clock.lua", "not is_meant or is_meant(id)", "true", "clock"),
    Mutant("rates of a wrong time", "clock.lua", "  bring_rates_forward(x, by)\n", "", "clock"),
    Mutant("graces of a wrong time", "clock.lua", "  bring_forward(x, 'lost', by)\n", "", "clock"),
    Mutant("leap ahead believed", "leap.lua", "> LEAP then", "> LEAP * 1e9 then", "clock"),
    Mutant("leap doubted for ever", "leap.lua", "x.doubt = till > x.now and till", "x.doubt = till", "clock"),
    Mutant("forgotten in doubt", "tick.lua", "if not R.in_doubt(x) then", "if true then", "clock"),
    Mutant("put off for good", "clock.lua", "  R.believe(x)\n", "", "clock"),
    Mutant("delay before a leap lost", "leap.lua", "if j[1] ~= '0' then", "if false then", "clock"),
    # logs
    Mutant("log offset not checked", "logs.lua", "have[chunk[3]] - chunk[4]", "0", "control"),
    Mutant("log not fenced", "logs.lua", "if tonumber(j[2]) ~= attempt then return false end", "", "control"),
    Mutant(
        "lost output thrown away", "logs.lua", "local lost = j[8]", "local lost = false and j[8]", "outcomes"
    ),
    Mutant("strangers write", "logs.lua", "lost and name_of(j[3]) == name_of(session)", "lost", "outcomes"),
    Mutant(
        "cancelled element starts",
        "array.lua",
        "untouched_from(x, parent, tonumber(j.nx) or 0)",
        "tonumber(j.nx) or 0",
        "arrays",
    ),
    Mutant("end not told", "finish.lua", "  R.log_end(x, id, to, reason, exit)\n", "", "control"),
    Mutant("old end told again", "control.lua", "  R.log_reopen(x, id)\n", "", "control"),
    Mutant("log not trimmed", "logs.lua", "if kept > most then", "if false then", "control"),
    # time
    Mutant(
        "started job expires",
        "tick.lua",
        "or j[2] or j[4] then return false",
        "or j[4] then return false",
        "submit",
    ),
    Mutant(
        "begun array expires",
        "tick.lua",
        "or j[2] or j[4] then return false",
        "or j[2] then return false",
        "arrays",
    ),
    Mutant("late job is offered", "ready.lua", "is_late and R.expire_job(x, head)", "false", "submit"),
    Mutant(
        "late job is claimed",
        "tick.lua",
        "    R.expire(x)\n    return R.promote(x)",
        "    return R.promote(x)",
        "submit",
    ),
    Mutant(
        "nobody sees a deadline pass",
        "submit.lua",
        "if x.nearest then",
        "if false then",
        "sync",
    ),
    Mutant("deadline of what has started", "start.lua", "  call('ZREM', x.P .. 'dl', head)\n", "", "sync"),
    Mutant("due job waits for a tick", "tick.lua", "    return R.promote(x)\n", "    return\n", "submit"),
    Mutant("bytes not given back", "tick.lua", "- (tonumber(j[2]) or 0)", "", "control"),
    Mutant("shares kept for ever", "shares.lua", "if share and at", "if false and at", "control"),
    Mutant("shares looked at in part", "shares.lua", "'shares', page[1])", "'shares', '0')", "control"),
    Mutant("forgotten once a second", "tick.lua", "if cfg[2] then R.retain(x) end", "", "control"),
    Mutant(
        "all forgotten at once",
        "tick.lua",
        "local room = x.room or JOBS_A_BITE",
        "local room = 1000",
        "control",
    ),
    Mutant("a lane too many", "control.lua", "if not R.has_room_for(x, j.l)", "if false", "submit"),
    Mutant("lane not back", "lanes.lua", "if text then R.add_lane", "if false then R.add_lane", "submit"),
    # arrays
    Mutant("alive miscounted", "array.lua", "call('HINCRBY', key, 'nR', -1)", "", "arrays"),
    Mutant("sequence runs on", "array.lua", "    if letter == 'S' then\n", "    if true then\n", "arrays"),
    Mutant(
        "one of several is enough",
        "follow.lua",
        "if not letter then may = nil",
        "if not letter then may = may",
        "arrays",
    ),
    Mutant("gate of the first to end", "follow.lua", "if left > 0 or untold", "if untold", "arrays"),
    Mutant("skipped together and not told", "follow.lua", "do all_ready(x, other) end", "do end", "arrays"),
    Mutant("halves of a byte swapped", "array.lua", "at % 2 == 0 and math", "at % 2 == 1 and math", "arrays"),
    Mutant("index told twice", "follow.lua", "if ended or code ~= 0 then return end", "", "arrays"),
    Mutant("followers not told", "finish.lua", "then R.array_over(x, id) end", "then end", "arrays"),
    Mutant(
        "unapproved element runs on",
        "report.lua",
        "if index then return R.cut_short(x, id, state) or R.unstart",
        "if false then return R",
        "arrays",
    ),
    Mutant("attempt numbered twice", "array.lua", "math.max(before and", "math.min(before and", "arrays"),
    Mutant(
        "end of a silent element stays",
        "logs.lua",
        "'r', result)\n  R.left_by(x, id)\n",
        "'r', result)\n",
        "arrays",
    ),
    Mutant(
        "large array never forgotten",
        "bulk.lua",
        "call('ZADD', x.P .. (state == 'S' and 'done' or 'fail'), 0, id)",
        "return 'not-ended'",
        "arrays",
    ),
    Mutant(
        "all elements told at once",
        "cut.lua",
        "FIRST_BITE, BITE = 500, 64",
        "FIRST_BITE, BITE = 5000, 64",
        "arrays",
    ),
    Mutant("the rest is never told", "cut.lua", "return #some == most", "return false", "arrays"),
    Mutant(
        "told elements not told to hurry",
        "cut.lua",
        "call('SADD', x.P .. 'am:' .. id, index) end",
        "end",
        "arrays",
    ),
    Mutant(
        "untold element starts",
        "cut.lua",
        "if not head[1] or not R.cut_short(x, head[1], 'R')",
        "if true",
        "arrays",
    ),
    Mutant(
        "untold element is retried",
        "settle.lua",
        "if from and R.cut_short(x, id, from)",
        "if false",
        "arrays",
    ),
    Mutant("what might start never ends", "array.lua", "or (code == MAY_START and j[4])", "", "arrays"),
    Mutant("success runs again", "array.lua", "math.floor(byte / 16) == CODES.S and 32 or 0", "0", "arrays"),
)


def survives(mutant: Mutant) -> bool:
    """Whether the suite that should notice does not. A suite that cannot run at all is an error."""
    suite = sorted((ROOT / "tests" / "integration").glob(f"test_library_{mutant.suite}*.py"))
    assert suite, f"{mutant.name}: there is no suite {mutant.suite}"
    return passes(mutant.name, plugin=PLUGIN, variable=VARIABLE, suite=suite)


if __name__ == "__main__":
    sys.exit(try_out(MUTANTS, survives, scripts.LIBRARY))
