-- start: RUNNABLE -> RUNNING, attempt + 1, in the name of a session.
--
-- The attempt is counted before the run, not after: a worker that dies must not
-- get a free attempt. The head of a lane may be an array: then its next element
-- becomes a job of its own for as long as it lives (array.lua).

local function hand_out(x, id, session, lane, facts)
  local key = x.P .. 'j:' .. id
  local attempt = call('HINCRBY', key, 'a', 1)
  call('HSET', key, 'w', session, 'b', int(x.now))
  call('HDEL', key, 'lo', 'le', 'pm', 'pg', 'r', 'x', 'ls')
  R.move(x, id, 'R', 'N')
  call('HSET', x.P .. 'wj:' .. session, id, attempt)
  R.take_limits(x, facts, id)
  R.charge(x, facts)
  local j = R.job(x, id, 'c', 'v', 'wt', 'u', 'y')
  R.note_element(x, id, attempt)
  if j[3] then call('SADD', x.P .. 'fl:' .. session, 'w' .. id) end
  if j[4] then R.unique_started(x, id, j[4]) end
  R.tally(x, 'wait', R.age(x, j[5]))
  R.event(x, 'start', id, attempt .. ' ' .. session)
  return R.claim_of(x, id, lane, attempt, j)
end

function R.start(x, head, session, lane, facts)
  local size = call('HGET', x.P .. 'j:' .. head, 'n')
  call('ZREM', x.P .. 'dl', head)
  if size then
    head = R.next_element(x, head, lane)
  else
    call('ZREM', x.P .. 'q:' .. lane, head)
  end
  return hand_out(x, head, session, lane, facts)
end
