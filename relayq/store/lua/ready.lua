-- ready: a job takes its place in its lane, and an idle session is given it at once.
--
-- PENDING | RUNNING | UNREACHABLE | final -> RUNNABLE.
-- The script that makes a job runnable picks the idle session, claims for it and
-- writes the claim to its mailbox: the worker starts one half round trip later.
-- A session is idle for a lane while it stands in idle:<lane> and its hash has the
-- free resources `fr`; entries that no longer hold are dropped when they are met.

local MAX_OFFERS = 64

function R.make_ready(x, id, from, keep_place)
  local j = R.job(x, id, 'l', 'p', 'y')
  local ready = keep_place and tonumber(j[3]) or x.now
  call('HSET', x.P .. 'j:' .. id, 'y', int(ready))
  call('HDEL', x.P .. 'j:' .. id, 'r')
  call('ZADD', x.P .. 'q:' .. j[1], int(R.score(ready, j[2])), id)
  if from ~= 'R' then R.move(x, id, from, 'R') end
  R.nudge(x, j[1])
end

local function covers(free, cost)
  for name, amount in pairs(cost) do
    if name ~= 'w' and (free[name] or 0) < amount then return false end
  end
  return true
end

function R.subtract(free, cost)
  for name, amount in pairs(cost) do
    if name ~= 'w' then free[name] = free[name] - amount end
  end
end

R.covers = covers

-- the idle session that was heard of last and has room for a job of this lane
local function idle_session(x, lane)
  local idle = x.P .. 'idle:' .. lane
  for _ = 1, MAX_OFFERS do
    local session = call('ZREVRANGE', idle, 0, 0)[1]
    if not session then return end
    local w = call('HMGET', x.P .. 'w:' .. session, 'fr', 'c:' .. lane, 'cmd')
    if w[1] and w[2] and not filled(w[3]) and R.online(x, session) then
      local free, cost = cjson.decode(w[1]), cjson.decode(w[2])
      if covers(free, cost) then
        if cost.w then
          R.letter(x, session, {'k', 'wake', 'd', int(cost.w)})
          return
        end
        return session, free, cost
      end
    end
    call('ZREM', idle, session)
  end
end

-- offer the heads of a lane to idle sessions, as long as there are both
function R.nudge(x, lane)
  if call('EXISTS', x.P .. 'idle:' .. lane) == 0 then return end
  local facts = R.lane(x, lane)
  if call('SISMEMBER', x.P .. 'paused', facts.q) == 1 then return end
  for _ = 1, MAX_OFFERS do
    local head = call('ZRANGE', x.P .. 'q:' .. lane, 0, 0)[1]
    if not head or R.blocked(x, facts) then return end
    local session, free, cost = idle_session(x, lane)
    if not session then return end
    local claim = R.start(x, head, session, lane, facts)
    R.subtract(free, cost)
    call('HSET', x.P .. 'w:' .. session, 'fr', cjson.encode(free))
    R.letter(x, session, {'k', 'claim', 'i', claim[1], 'a', claim[2], 'c', claim[3], 'l', claim[4],
                          'o', claim[5], 'e', claim[6], 'r', claim[7], 'n', claim[8]})
  end
end
