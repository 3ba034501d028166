-- report: what a worker says of an attempt, judged.
--
-- RUNNING -> SUCCEEDED | FAILED | CANCELLED | RUNNABLE | PENDING(delay); `lost` counts a crash.
-- UNREACHABLE -> the same, `late`.  RUNNABLE | PENDING after a loss -> SUCCEEDED, when the
-- lost attempt succeeded after all and nobody has started another.
-- FAILED as lost -> SUCCEEDED, for the same reason: finished work is never thrown away. Whoever
-- waited for it has been told already.
-- -> 'ok' | 'late' | 'dup' | 'stale' | 'files' (those it left are not here any more: put them again)

-- how an attempt ended that is no longer the last, or will not be: '<n> <session> <begun> <ended> <exit> <reason>'
function R.note_attempt(x, id, exit, reason)
  local j = R.job(x, id, 'a', 'w', 'b', 'e')
  if not j[1] then return end
  local begun, ended = R.times(x)
  local line = table.concat({j[1], j[2] or '-', begun and int(begun) or j[3] or '0', j[4] or int(ended), exit or '-',
                             reason or '-'}, ' ')
  call('RPUSH', x.P .. 'at:' .. id, line)
  call('LTRIM', x.P .. 'at:' .. id, -20, -1)
end

-- when the attempt that is being reported began, where that was measured, and ended; told once
function R.times(x)
  local begun, ended = x.begun, x.ended or x.now
  x.begun, x.ended = nil, nil
  return begun, ended
end

-- an attempt that was noted as lost turns up again: the note was premature
function R.unlose(x, id)
  call('RPOP', x.P .. 'at:' .. id)
end

local function retry(x, id, report)
  local j = R.job(x, id, 'a', 'c', 'v', 'm', 'l', 'w', 's')
  local used = tonumber(j[1]) - (tonumber(j[2]) or 0) - (tonumber(j[3]) or 0)
  if not report.retry or used >= (tonumber(j[4]) or 1) then return false end
  R.note_attempt(x, id, int(report.exit or 0), report.reason)
  local top = math.min(report.cap or 0, (report.backoff or 0) * math.pow(2, used - 1))
  local wait = R.random(x, top + 1, id)
  R.free_limits(x, R.lane(x, j[5]), id)
  call('HSET', x.P .. 'j:' .. id, 'du', int(x.now + wait))
  R.event(x, 'retry', id, report.reason)
  R.tally(x, 'retried')
  R.drop_orders(x, j[6], id)
  R.settle(x, id, j[7])
  R.after_limits(x, R.lane(x, j[5]))
  return true
end

local function hand_back(x, id, session, state)
  local facts = R.lane(x, R.job(x, id, 'l')[1])
  call('HINCRBY', x.P .. 'j:' .. id, 'v', 1)
  call('HINCRBY', x.P .. 'j:' .. id, 'hb', 1)
  R.free_limits(x, facts, id)
  R.drop_orders(x, session, id)
  R.event(x, 'handback', id, session)
  R.settle(x, id, state, true)
  R.after_limits(x, facts)
end

-- nobody may run it before its owner has said so: it waits, held, wherever it belongs
local function await_approval(x, id, session, state)
  local whole, index = R.parts(id)
  call('HSET', x.P .. 'j:' .. whole, 'h', 'a')
  call('HDEL', x.P .. 'j:' .. whole, 'ho')
  R.event(x, 'approval', id)
  if index then return R.cut_short(x, id, state) or R.unstart(x, id, session, state) end
  hand_back(x, id, session, state)
end

-- the attempt was the last: its result stays with the job
-- (a large array keeps no word of elements that left nothing: a million of them cost what one does)
local function over(x, report, state, to, reason)
  local j = report.bare and R.job(x, report.id, 'lo', 'le') or {true}
  local is_kept = j[1] or j[2] or report.outputs or not R.is_of_large_array(x, report.id)
  if filled(report.result) and is_kept then call('SET', x.P .. 'r:' .. report.id, report.result) end
  R.finish(x, report.id, state, to, reason, int(report.exit or 0))
end

local function refuse(x, report, state)
  R.event(x, 'alarm', report.id, report.reason)
  call('HSET', x.P .. 'j:' .. report.id, 'pg', filled(report.note) and report.note or report.reason or '')
  R.finish(x, report.id, state, 'F', 'refused', '125')
end

-- by the worker's measure: its report may be late, and what it took may have waited in its line
local function set_times(x, begun, report)
  local run = report.run_ms or 0
  if run <= 0 then return end
  begun = tonumber(begun) or x.now
  x.ended = math.max(begun, x.now - math.max(0, report.ago or 0))
  x.begun = math.max(begun, x.ended - run)
end

local function apply(x, session, report, state, asked, why)
  local outcome = report.outcome
  local j = R.job(x, report.id, 'l', 'b')
  set_times(x, j[2], report)
  R.charge(x, R.lane(x, j[1]), report.run_ms or 0)
  R.tally(x, 'run', report.run_ms or 0)
  R.meter(x, session, report.id, report.run_ms or 0)
  if outcome == 'ok' then
    R.keep_outputs(x, report.id, report.outputs)
    return over(x, report, state, 'S')
  end
  if asked or outcome == 'cancelled' then return over(x, report, state, 'C', why or report.reason or 'cancelled') end
  if outcome == 'lost' then return R.crash(x, report.id, state) end
  if outcome == 'handback' then return hand_back(x, report.id, session, state) end
  if outcome == 'unapproved' then return await_approval(x, report.id, session, state) end
  if outcome == 'refused' then return refuse(x, report, state) end
  if retry(x, report.id, report) then return end
  over(x, report, state, 'F', outcome == 'timeout' and 'timeout' or report.reason or 'exit')
end

-- the worker's success of an attempt that was given up as lost
local function is_given_up(j, session, report)
  local same_worker = string.match(j[3] or '', '^(.*)#') == string.match(session, '^(.*)#')
  local lost = j[1] == 'F' and (j[6] == 'lost' or j[6] == 'crash_limit')
  return lost and same_worker and tonumber(j[2]) == report.attempt and report.outcome == 'ok'
end

-- `result` is where its bytes stand in `data`
function R.report(x, session, report, data)
  local id = report.id
  report.result = report.result and data[report.result]
  local most = report.outcome == 'refused' and 200 or 64  -- a refusal names the rule, in a sentence
  report.reason = filled(report.reason) and string.sub(report.reason, 1, most) or nil
  local j = R.job(x, id, 's', 'a', 'w', 'cx', 'ls', 'r', 'cy')
  local state = j[1]
  if not state then return R.ended_letter(x, id) and 'dup' or 'stale' end
  if is_given_up(j, session, report) then
    if not R.has_outputs(x, report.outputs) then return 'files' end
    R.keep_outputs(x, id, report.outputs)
    if filled(report.result) then call('SET', x.P .. 'r:' .. id, report.result) end
    R.amend(x, session, id, int(report.exit or 0))
    return 'late'
  end
  if tonumber(j[2]) ~= report.attempt or j[3] ~= session then return 'stale' end
  if not FINAL[state] and report.outcome == 'ok' and not R.has_outputs(x, report.outputs) then return 'files' end
  if state == 'N' or state == 'U' then
    apply(x, session, report, state, j[4], j[7])
    return state == 'N' and 'ok' or 'late'
  end
  if FINAL[state] then return 'dup' end
  if j[5] and report.outcome == 'ok' then
    R.unlose(x, id)
    apply(x, session, report, state, nil)
    return 'late'
  end
  return 'dup'
end
