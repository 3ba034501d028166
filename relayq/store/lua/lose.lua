-- lose: sessions and attempts nobody hears of any more.
--
-- RUNNING -> UNREACHABLE: the session's lease expired, or it left its work for later.
-- UNREACHABLE -> RUNNABLE | PENDING(held) | FAILED | CANCELLED: the grace is over, a crash is counted.
-- wlive  zset: lease expiry     lost  zset: end of grace     woff  zset: when a session that went was heard of last

local MINUTE = 60000

-- grace = min(10 min, max(60 s, time already run)), or what the spec says
local function grace(x, j)
  local wanted = tonumber(j[1])
  if wanted and wanted > 0 then return wanted end
  return math.min(10 * MINUTE, math.max(MINUTE, x.now - (tonumber(j[2]) or x.now)))
end

function R.end_session(x, session)
  local held = call('HKEYS', x.P .. 'wj:' .. session)
  for _, id in ipairs(held) do
    local j = R.job(x, id, 'g', 'b')
    R.leave(x, id, 'N')
    call('ZADD', x.P .. 'lost', int(x.now + grace(x, j)), id)
    R.move(x, id, 'N', 'U')
    R.event(x, 'unreachable', id, session)
  end
  local expires = tonumber(call('ZSCORE', x.P .. 'wlive', session) or x.now)
  call('ZREM', x.P .. 'wlive', session)
  call('ZADD', x.P .. 'woff', int(expires > x.now and x.now or expires - LEASE), session)
  R.stand_down(x, session)
  call('DEL', x.P .. 'mb:' .. session, x.P .. 'fl:' .. session)
  R.event(x, 'worker-gone', session)
end

function R.reap(x)
  local expired = call('ZRANGEBYSCORE', x.P .. 'wlive', '-inf', int(x.now), 'LIMIT', 0, 20)
  for _, session in ipairs(expired) do R.end_session(x, session) end
end

function R.crash(x, id, from)
  local key = x.P .. 'j:' .. id
  local crashes = call('HINCRBY', key, 'c', 1)
  local j = R.job(x, id, 'cx', 'f', 'l', 'w', 'cy')
  R.tally(x, 'crashed')
  if j[1] then return R.finish(x, id, from, 'C', j[5] or 'lost') end
  if j[2] == 'fail' then return R.finish(x, id, from, 'F', 'lost') end
  if crashes >= CRASH_LIMIT then return R.finish(x, id, from, 'F', 'crash_limit') end
  R.note_attempt(x, id, nil, 'lost')
  local facts = R.lane(x, j[3])
  R.free_limits(x, facts, id)
  R.drop_orders(x, j[4], id)
  call('HSET', key, 'ls', '1')
  if j[2] == 'hold' then call('HSET', key, 'h', 'l') end
  R.settle(x, id, from, true)
  R.after_limits(x, facts)
end

function R.lapse(x)
  local over = call('ZRANGEBYSCORE', x.P .. 'lost', '-inf', int(x.now), 'LIMIT', 0, 100)
  for _, id in ipairs(over) do R.crash(x, id, 'U') end
end
