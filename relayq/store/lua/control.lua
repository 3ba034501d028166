-- control: what people ask of a job that is in the hub. Each answers with a word.
--
-- cancel: PENDING | RUNNABLE -> CANCELLED; RUNNING | UNREACHABLE -> asked, told to the
--         worker in every sync until it reports; `kill` leaves it no time to end by itself;
--         an element of an array that has not started never will
--                                                                  -> cancelled | asked | ended:<state>
-- hold:   RUNNABLE | PENDING -> PENDING(held); an array starts no more of its elements
--                                                                  -> held | running | ended:<state>
-- release: PENDING(held) -> wherever it belongs; what a job's sender asks for lifts its own hold and no
--         other                                                   -> released | not-held | ended:<state>
-- reprioritise: a new place in its lane                           -> done | running | ended:<state>
-- retry:  final -> RUNNABLE, a new attempt of the same id, with the signed op that allows it;
--         of an array what did not succeed, never one element
--                                                      -> retried | not-ended | unique:<id> | lanes | element

local ORDER_S = 604800

local function ended(state) return 'ended:' .. state end

function R.keep_why(x, id, why)
  if filled(why) and why ~= 'cancelled' then call('HSETNX', x.P .. 'j:' .. id, 'cy', why) end
end

-- j.cx: c or k, the flag of the order that a worker gets; co:<id>  the order as it was signed, which the
-- worker verifies (for an array, one for all its elements)  j.cy: why, in the words of whoever asked first
function R.cancel(x, id, why, kill, op)
  local flag = kill and 'k' or 'c'
  local j = R.job(x, id, 's', 'w', 'n')
  local state = j[1] or R.ended_letter(x, id)
  local parent, index = R.parts(id)
  if not state then return index and R.cancel_element(x, parent, index) or 'unknown' end
  if FINAL[state] then return ended(state) end
  if filled(op) and state ~= 'P' and state ~= 'R' or j[3] and filled(op) then
    call('SET', x.P .. 'co:' .. id, op, 'EX', ORDER_S)
  end
  if j[3] then
    call('HSET', x.P .. 'j:' .. id, 'cx', flag)
    R.keep_why(x, id, why)
    R.end_rest(x, id, 'C')
    R.cut(x, id)
    R.array_check(x, id)
    return FINAL[R.job(x, id, 's')[1]] and 'cancelled' or 'asked'
  end
  if state == 'P' or state == 'R' then
    R.finish(x, id, state, 'C', why)
    return 'cancelled'
  end
  R.keep_why(x, id, why)
  call('HSET', x.P .. 'j:' .. id, 'cx', flag)
  R.event(x, 'cancel', id, why, op)
  if state == 'N' then R.order(x, j[2], flag, id) end
  return 'asked'
end

-- The hub cannot check who signed `op`: it stands beside what it did, and whoever looks does.
function R.hold(x, id, op, by_sender)
  local j = R.job(x, id, 's', 'h')
  local state = j[1] or R.ended_letter(x, id)
  if not state then return 'unknown' end
  if FINAL[state] then return ended(state) end
  if state == 'U' or state == 'N' and not R.has_unstarted(x, id) then return 'running' end
  if by_sender and j[2] then return 'held' end
  call('HSET', x.P .. 'j:' .. id, 'h', by_sender and 's' or '1')
  R.keep_order(x.P .. 'j:' .. id, 'ho', op)
  R.event(x, 'hold', id, '', op)
  if state ~= 'N' then R.settle(x, id, state) end
  return 'held'
end

function R.release(x, id, op, by_sender, kind)
  local j = R.job(x, id, 's', 'h')
  if not j[1] then return 'unknown' end
  if FINAL[j[1]] then return ended(j[1]) end
  if not j[2] or by_sender and j[2] ~= 's' then return 'not-held' end
  call('HDEL', x.P .. 'j:' .. id, 'h', 'ho')
  R.event(x, kind or 'release', id, '', op)
  if j[1] == 'P' then R.settle(x, id, 'P') end
  return 'released'
end

-- the owner lets a job run that waits for that: ap:<id>  the signed op, which the worker verifies
function R.approve(x, id, op)
  call('SET', x.P .. 'ap:' .. id, op, 'EX', ORDER_S)
  return R.release(x, id, op, nil, 'approved')
end

function R.reprioritise(x, id, priority, op)
  local j = R.job(x, id, 's', 'l', 'y')
  if not j[1] then return 'unknown' end
  if FINAL[j[1]] then return ended(j[1]) end
  if j[1] == 'U' or (j[1] == 'N' and call('HEXISTS', x.P .. 'j:' .. id, 'n') == 0) then return 'running' end
  call('HSET', x.P .. 'j:' .. id, 'p', int(priority))
  if j[1] == 'R' then call('ZADD', x.P .. 'q:' .. j[2], R.score(tonumber(j[3]), priority), id) end
  R.keep_order(x.P .. 'j:' .. id, 'po', op)
  R.event(x, 'priority', id, int(priority), op)
  return 'done'
end

function R.retry(x, id, op)
  local _, index = R.parts(id)
  if index then return 'element' end
  local j = fields(call('HGETALL', x.P .. 'j:' .. id))
  if not j.s then return 'unknown' end
  if not FINAL[j.s] then return 'not-ended' end
  local holder = j.u and R.unique_holder(x, string.sub(j.u, 3))
  if holder and holder ~= id then return 'unique:' .. holder end
  if not R.has_room_for(x, j.l) then return 'lanes' end
  if j.b then R.note_attempt(x, id, j.x, j.s == 'C' and 'cancelled' or j.r) end
  R.leave(x, id, j.s)
  R.log_reopen(x, id)
  R.fan_again(x, id)
  call('DEL', x.P .. 'r:' .. id, x.P .. 'o:' .. id, x.P .. 'co:' .. id)
  call('SET', x.P .. 'ro:' .. id, op)
  call('HSET', x.P .. 'j:' .. id, 'v', j.a or '0')
  call('HDEL', x.P .. 'j:' .. id, 'e', 'x', 'r', 'cx', 'z', 'c', 'du')
  x.counts.kept = (x.counts.kept or 0) - (tonumber(j.z) or 0)
  if j.u then R.unique_again(x, id, j.u) end
  if j.n then
    call('HDEL', x.P .. 'j:' .. id, 'b')
    R.reopen_array(x, id, j)
  end
  R.lane_again(x, j.l)
  R.event(x, 'again', id, '', op)
  R.make_ready(x, id, j.s, j.l, j.p)
  return 'retried'
end

-- somebody follows the log: -> {state, attempt}
function R.watch(x, id)
  local j = R.job(x, id, 's', 'w')
  if not j[1] then return {R.ended_letter(x, id) or 'unknown'} end
  if not FINAL[j[1]] then
    call('HSET', x.P .. 'j:' .. id, 'wt', '1')
    if j[1] == 'N' and j[2] then R.order(x, j[2], 'w', id) end
  end
  return {j[1]}
end

-- qo: p:<queue> w:<queue>  the signed orders behind what is paused, and what has a weight
function R.pause(x, queue, paused, op)
  call(paused and 'SADD' or 'SREM', x.P .. 'paused', queue)
  R.keep_order(x.P .. 'qo', 'p:' .. queue, paused and op)
  R.event(x, paused and 'pause' or 'resume', queue, '', op)
  if paused then return 'paused' end
  for _, lane in ipairs(call('HKEYS', x.P .. 'lanes')) do
    if R.lane(x, lane).q == queue then R.nudge(x, lane) end
  end
  return 'resumed'
end

function R.weight(x, queue, weight, op)
  call('HSET', x.P .. 'qw', queue, tostring(weight))
  R.keep_order(x.P .. 'qo', 'w:' .. queue, op)
  R.event(x, 'weight', queue, tostring(weight), op)
  return 'done'
end

-- quiet, stop, kill or resume a worker by name
function R.command(x, name, word, op)
  local session = call('HGET', x.P .. 'names', name)
  if not session or not R.online(x, session) then return 'unknown' end
  call('HSET', x.P .. 'w:' .. session, 'cmd', word == 'resume' and '' or word, 'co', op or '')
  R.letter(x, session, {'k', word})
  R.event(x, word, name, session, op)
  return 'told'
end
