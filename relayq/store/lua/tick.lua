-- tick: the housekeeping that time asks for, at most once a second in the whole fleet.
--
-- Every sync and submit calls it, so it needs no process of its own. Each part takes a
-- bounded bite; what is left over is taken a second later. Only deadlines and delays are
-- looked at each time: a job that is due starts when it is due, and none when it is too late. And
-- while there is more to forget than one bite (cfg's `behind`), each call takes one: a fleet may
-- end more jobs in a second.

local OK_RETENTION = 3 * 86400000
local OTHER_RETENTION = 14 * 86400000
local DEFAULT_KEEP_BYTES = 1073741824
local JOBS_A_BITE = 100
local ELEMENTS_A_BITE = 500

function R.promote(x)
  local due = call('ZRANGEBYSCORE', x.P .. 'delay', '-inf', int(x.now), 'LIMIT', 0, 200)
  for _, id in ipairs(due) do R.settle(x, id, 'P') end
end

-- PENDING | RUNNABLE -> EXPIRED: not started before its deadline; -> whether it is so (or seems so: leap.lua)
function R.expire_job(x, id)
  local j = R.job(x, id, 's', 'a', 'n', 'nR')
  call('ZREM', x.P .. 'dl', id)
  if j[1] ~= 'P' and j[1] ~= 'R' or j[2] or j[4] then return false end
  if R.in_doubt(x) then
    R.put_off(x, id, j[1])
    return true
  end
  if j[3] then R.end_rest(x, id, 'K') end
  R.finish(x, id, R.job(x, id, 's')[1], 'E', 'deadline')
  return true
end

function R.expire(x)
  local late = call('ZRANGEBYSCORE', x.P .. 'dl', '-inf', int(x.now), 'LIMIT', 0, 200)
  for _, id in ipairs(late) do R.expire_job(x, id) end
end

-- logs and results of elements, those that `al` says there are; true when none is left
local function forget_elements(x, id)
  local al, room = x.P .. 'al:' .. id, ELEMENTS_A_BITE - (x.emptied or 0)
  local some = room > 0 and call('SPOP', al, room) or {}
  x.emptied = (x.emptied or 0) + #some
  for _, index in ipairs(some) do
    call('UNLINK', x.P .. 'log:' .. id .. ':' .. index, x.P .. 'r:' .. id .. ':' .. index)
    R.unrefer(x, id .. ':' .. index)
  end
  return call('EXISTS', al) == 0
end

-- a finished job and everything that belongs to it is forgotten; false when that takes more than one
-- bite, or its dependents are still to be told
function R.forget(x, id)
  local P = x.P
  local j = R.job(x, id, 's', 'z', 'n', 'l')
  if call('EXISTS', P .. 'dep:' .. id) == 1 or not forget_elements(x, id) then return false end
  local head = call('GETRANGE', P .. 's:' .. id, 0, 90)
  local batch = string.match(head, '^%dz? batch ([%w_-]+) ')
  if batch and call('HINCRBY', P .. 'btn', batch, -1) <= 0 then
    call('HDEL', P .. 'btn', batch)
    call('DEL', P .. 'bt:' .. batch)
  end
  R.notices_dropped(x, id)
  for _, kind in ipairs({'j:', 's:', 'r:', 'log:', 'at:', 'as:', 'ar:', 'ax:', 'am:', 'ac:', 'dx:', 'dep:', 'ro:', 'co:', 'ap:'}) do
    call('UNLINK', P .. kind .. id)
  end
  R.unrefer(x, id)
  call('ZREM', P .. 'done', id)
  call('ZREM', P .. 'fail', id)
  x.counts.kept = (x.counts.kept or 0) - (tonumber(j[2]) or 0)
  x.counts[j[1]] = (x.counts[j[1]] or 0) - 1
  R.lane_keeps(x, j[4], -1)
  return true
end

-- how much room the bite of this call has left when these are forgotten
local function forget_before(x, index, time, room)
  local old = call('ZRANGEBYSCORE', x.P .. index, '-inf', int(time), 'LIMIT', 0, room)
  for _, id in ipairs(old) do R.forget(x, id) end
  return room - #old
end

local function budget(x)
  local set = tonumber(call('HGET', x.P .. 'cfg', 'keep_bytes'))
  if set then return set end
  local most = tonumber(call('HGET', x.P .. 'cfg', 'maxmemory')) or 0
  return most > 0 and most * 0.4 or DEFAULT_KEEP_BYTES
end

-- the oldest go until the bytes are within the budget -> how much room the bite has left
local function forget_most(x, room)
  local kept = (tonumber(call('HGET', x.P .. 'n', 'kept')) or 0) + (x.counts.kept or 0)
  local most = budget(x)
  while kept > most and room > 0 do
    local id = call('ZRANGE', x.P .. 'done', 0, 0)[1] or call('ZRANGE', x.P .. 'fail', 0, 0)[1]
    if not id then break end
    kept = kept - (tonumber(R.job(x, id, 'z')[1]) or 0)
    if not R.forget(x, id) then break end
    room = room - 1
  end
  return room
end

function R.retain(x)
  local cfg = call('HMGET', x.P .. 'cfg', 'keep_ok', 'keep_other')
  local room = x.room or JOBS_A_BITE
  if not R.in_doubt(x) then
    room = forget_before(x, 'done', x.now - (tonumber(cfg[1]) or OK_RETENTION), room)
    room = forget_before(x, 'fail', x.now - (tonumber(cfg[2]) or OTHER_RETENTION), room)
  end
  x.room = forget_most(x, room)
  if x.room == 0 then call('HSET', x.P .. 'cfg', 'behind', '1') else call('HDEL', x.P .. 'cfg', 'behind') end
end

-- workers not heard of for two weeks
function R.forget_workers(x)
  local old = call('ZRANGEBYSCORE', x.P .. 'woff', '-inf', int(x.now - OTHER_RETENTION), 'LIMIT', 0, 20)
  for _, session in ipairs(old) do R.forget_session(x, session) end
end

function R.forget_session(x, session)
  local name = call('HGET', x.P .. 'w:' .. session, 'name')
  if name and call('HGET', x.P .. 'names', name) == session then call('HDEL', x.P .. 'names', name) end
  call('ZREM', x.P .. 'woff', session)
  call('UNLINK', x.P .. 'w:' .. session, x.P .. 'wj:' .. session, x.P .. 'mb:' .. session, x.P .. 'fl:' .. session,
       x.P .. 'wl:' .. session)
end

local function memory(x)
  local info = call('INFO', 'memory')
  call('HSET', x.P .. 'cfg', 'used', string.match(info, 'used_memory:(%d+)') or '0',
       'maxmemory', string.match(info, 'maxmemory:(%d+)') or '0')
end

-- who forces it believes the clock
function R.tick(x, force)
  if force then x.doubt = false end
  local cfg = call('HMGET', x.P .. 'cfg', 'tick', 'behind', 'fanned')
  local last = tonumber(cfg[1]) or 0
  if not force and x.now - last < TICK and x.now >= last then
    if cfg[2] then R.retain(x) end
    R.cut_on(x)
    R.fan_on(x, cfg[3])
    R.expire(x)
    return R.promote(x)
  end
  R.in_doubt(x)
  R.set_back(x, last - x.now)
  call('HSET', x.P .. 'cfg', 'tick', int(x.now))
  memory(x)
  R.reap(x)
  R.lapse(x)
  R.cut_on(x)
  R.expire(x)
  R.promote(x)
  R.fan_out(x)
  R.retain(x)
  R.collect_lanes(x)
  R.forget_workers(x)
  R.forget_shares(x)
end
