-- report: what a worker says of an attempt, judged.
--
-- RUNNING -> SUCCEEDED | FAILED | CANCELLED | RUNNABLE | PENDING(delay).
-- UNREACHABLE -> the same, `late`.  RUNNABLE | PENDING after a loss -> SUCCEEDED, when the
-- lost attempt succeeded after all and nobody has started another.
-- -> 'ok' | 'late' | 'dup' | 'stale'

-- how an attempt ended that was not the last: '<n> <session> <begun> <ended> <exit> <reason>'
function R.note_attempt(x, id, exit, reason)
  local j = R.job(x, id, 'a', 'w', 'b')
  if not j[1] then return end
  local line = table.concat({j[1], j[2] or '-', j[3] or '0', int(x.now), exit or '-', reason or '-'}, ' ')
  call('RPUSH', x.P .. 'at:' .. id, line)
  call('LTRIM', x.P .. 'at:' .. id, -20, -1)
end

local function retry(x, id, report)
  local j = R.job(x, id, 'a', 'c', 'v', 'm', 'l')
  local used = tonumber(j[1]) - (tonumber(j[2]) or 0) - (tonumber(j[3]) or 0)
  if not report.retry or used >= (tonumber(j[4]) or 1) then return false end
  R.note_attempt(x, id, int(report.exit or 0), report.reason)
  local top = math.min(report.cap or 0, (report.backoff or 0) * math.pow(2, used - 1))
  local wait = R.random(x, top + 1, id)
  R.free_limits(x, R.lane(x, j[5]), id)
  call('HSET', x.P .. 'j:' .. id, 'du', int(x.now + wait))
  R.event(x, 'retry', id, report.reason)
  R.tally(x, 'retried')
  local session = R.job(x, id, 'w')[1]
  R.drop_orders(x, session, id)
  R.settle(x, id, R.job(x, id, 's')[1])
  return true
end

local function hand_back(x, id, session, state)
  call('HINCRBY', x.P .. 'j:' .. id, 'v', 1)
  R.free_limits(x, R.lane(x, R.job(x, id, 'l')[1]), id)
  R.drop_orders(x, session, id)
  R.event(x, 'handback', id, session)
  R.settle(x, id, state, true)
end

local function apply(x, session, report, state, asked)
  local id, outcome, exit = report.id, report.outcome, int(report.exit or 0)
  if filled(report.result) then call('SET', x.P .. 'r:' .. id, report.result) end
  R.charge(x, R.lane(x, R.job(x, id, 'l')[1]), report.run_ms or 0)
  R.tally(x, 'run', report.run_ms or 0)
  if outcome == 'ok' then return R.finish(x, id, state, 'S', nil, exit) end
  if asked or outcome == 'cancelled' then return R.finish(x, id, state, 'C', report.reason, exit) end
  if outcome == 'handback' then return hand_back(x, id, session, state) end
  if outcome == 'refused' then
    R.event(x, 'alarm', id, report.reason)
    call('HSET', x.P .. 'j:' .. id, 'pg', string.sub(report.reason or '', 1, 64))
    return R.finish(x, id, state, 'F', 'refused', '125')
  end
  if retry(x, id, report) then return end
  R.finish(x, id, state, 'F', outcome == 'timeout' and 'timeout' or report.reason or 'exit', exit)
end

local function of_ended_element(x, id)
  local parent, index = R.parts(id)
  return index and R.element_letter(x, parent, index) and 'dup' or 'stale'
end

function R.report(x, session, report)
  local id = report.id
  local j = R.job(x, id, 's', 'a', 'w', 'cx', 'ls')
  local state = j[1]
  if not state then return of_ended_element(x, id) end
  if tonumber(j[2]) ~= report.attempt or j[3] ~= session then return 'stale' end
  if state == 'N' or state == 'U' then
    apply(x, session, report, state, j[4])
    return state == 'N' and 'ok' or 'late'
  end
  if FINAL[state] then return 'dup' end
  if j[5] and report.outcome == 'ok' then
    apply(x, session, report, state, nil)
    return 'late'
  end
  return 'dup'
end
