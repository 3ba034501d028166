-- finish: the only way into a final state.
--
-- Leaves the index of the state before, frees limits, unique key and lane, tells
-- dependents (fan_out.lua) and whoever follows the log, and books what is retained.
-- done  zset of succeeded jobs by finish time     fail  zset of all other final jobs

local function free_resources(x, id, from)
  local j = R.job(x, id, 'l', 'u', 'w')
  R.lane_holds(x, j[1], -1)
  if not string.find(id, ':', 1, true) then R.lane_keeps(x, j[1], 1) end
  if j[2] then R.unique_ended(x, id, j[2]) end
  if j[3] then R.drop_orders(x, j[3], id) end
  if from == 'N' or from == 'U' then
    local facts = R.lane(x, j[1])
    R.free_limits(x, facts, id)
    R.after_limits(x, facts)
  end
end

-- bytes a finished job keeps in the hub: envelope, result, log, files, and about 600 for the record
local function book(x, id)
  local j = R.job(x, id, 'lb')
  local bytes = 600 + call('STRLEN', x.P .. 's:' .. id) + call('STRLEN', x.P .. 'r:' .. id) + (tonumber(j[1]) or 0)
    + R.file_bytes(x, id)
  call('HSET', x.P .. 'j:' .. id, 'z', int(bytes))
  x.counts.kept = (x.counts.kept or 0) + bytes
end

-- a job that was given up as lost has succeeded after all
function R.amend(x, session, id, exit)
  local key = x.P .. 'j:' .. id
  R.leave(x, id, 'F')
  call('ZADD', x.P .. 'done', int(x.now), id)
  call('HSET', key, 'e', int(x.now), 'x', exit, 'w', session)
  call('HDEL', key, 'r')
  R.move(x, id, 'F', 'S')
  R.tally(x, 'S')
  R.event(x, 'end', id, 'S ' .. exit .. ' ')
  R.log_reopen(x, id)
  R.log_end(x, id, 'S', nil, exit)
  R.notices_due(x, id)
  x.counts.kept = (x.counts.kept or 0) - (tonumber(R.job(x, id, 'z')[1]) or 0)
  book(x, id)
end

function R.finish(x, id, from, to, reason, exit)
  local key = x.P .. 'j:' .. id
  local begun, ended = R.times(x)
  R.leave(x, id, from)
  if begun then
    call('HSET', key, 'e', int(ended), 'b', int(begun))
  else
    call('HSET', key, 'e', int(ended))
    -- what began was an attempt before, which is noted; an array has run since its first element began
    local did_wait = (from == 'R' or from == 'P') and to ~= 'S'
    if did_wait and call('HEXISTS', key, 'n') == 0 then call('HDEL', key, 'b') end
  end
  call('HDEL', key, 'd', 'h', 'ho', 'du', 'ls', 'cy', 'dd')
  if reason then call('HSET', key, 'r', reason) else call('HDEL', key, 'r') end
  if exit then call('HSET', key, 'x', exit) end
  R.move(x, id, from, to)
  free_resources(x, id, from)
  R.tally(x, to)
  R.event(x, 'end', id, to .. ' ' .. (exit or '') .. ' ' .. (reason or ''))
  R.log_end(x, id, to, reason, exit)
  local _, index = R.parts(id)
  if index then return R.element_ended(x, id, to, reason, exit) end
  call('ZADD', x.P .. (to == 'S' and 'done' or 'fail'), int(x.now), id)
  call('ZREM', x.P .. 'dl', id)
  call('DEL', x.P .. 'ro:' .. id)
  R.notices_due(x, id)
  book(x, id)
  if call('EXISTS', x.P .. 'dx:' .. id) == 1 then R.array_over(x, id) end
  if call('EXISTS', x.P .. 'dep:' .. id) == 1 then
    call('RPUSH', x.P .. 'fan', id .. ' ' .. to)
    R.fan_out(x)
  end
end
