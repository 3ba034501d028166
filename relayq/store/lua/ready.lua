-- ready: a job takes its place in its lane, and an idle session is given it at once.
--
-- PENDING | RUNNING | UNREACHABLE | final -> RUNNABLE.
-- The script that makes a job runnable picks the idle session, claims for it and
-- writes the claim to its mailbox: the worker starts one half round trip later.
-- A session is idle for a lane while it stands in idle:<lane>, its hash has the free
-- resources `fr` and wl:<session> the lane's cost; entries that no longer hold are
-- dropped when they are met.

local MAX_OFFERS = 64

-- `kept` is when it became ready before, for one that keeps its place; `from` is nil for a new job
function R.make_ready(x, id, from, lane, priority, kept)
  local key, ready = x.P .. 'j:' .. id, tonumber(kept) or R.next_moment(x)
  call('HSET', key, 'y', string.format('%.3f', ready), 's', 'R')
  if from then call('HDEL', key, 'r') end
  call('ZADD', x.P .. 'q:' .. lane, R.score(ready, priority), id)
  if from ~= 'R' then R.count(x, from, 'R') end
  R.nudge(x, lane)
end

local function covers(free, cost)
  for name, amount in pairs(cost) do
    if name ~= 'w' and (free[name] or 0) < amount then return false end
  end
  return true
end

function R.subtract(free, cost)
  for name, amount in pairs(cost) do
    if name ~= 'w' then free[name] = (free[name] or 0) - amount end
  end
end

R.covers = covers

-- what a session offers while it stands by for a lane: free, cost, or nil when it does not any more
local function offer_of(x, session, lane)
  local w = call('HMGET', x.P .. 'w:' .. session, 'fr', 'cmd')
  if not w[1] or filled(w[2]) or not R.online(x, session) then return end
  local cost = call('HGET', x.P .. 'wl:' .. session, lane)
  if not cost then return end
  local free = cjson.decode(w[1])
  cost = cjson.decode(cost)
  if covers(free, cost) then return free, cost end
end

-- the idle session that was heard of last and has room for a job of this lane that waits since
-- `age` ms. One that prefers to leave it to others comes last, and is woken when their time is over.
local function idle_session(x, lane, age)
  local idle, reserve, wait = x.P .. 'idle:' .. lane, nil, nil
  for _, session in ipairs(call('ZREVRANGE', idle, 0, MAX_OFFERS - 1)) do
    local free, cost = offer_of(x, session, lane)
    if not free then
      call('ZREM', idle, session)
    elseif (cost.w or 0) <= age then
      return session, free, cost
    elseif not reserve then
      reserve, wait = session, cost.w - age
    end
  end
  if reserve then R.letter(x, reserve, {'k', 'wake', 'd', int(wait)}) end
end

-- somebody who stands by for this lane must be awake in `wait` ms, unless the next heartbeat is sooner
function R.wake_someone(x, lane, wait)
  local session = call('ZREVRANGE', x.P .. 'idle:' .. lane, 0, 0)[1]
  if session and wait < HEARTBEAT then R.letter(x, session, {'k', 'wake', 'd', int(wait)}) end
end

-- the soonest of the deadlines that this call has set, `wait` ms from now, may pass before the next
-- heartbeat: if nobody watches for a sooner one, the session heard of last is to see it pass
function R.wake_for_deadline(x, wait)
  local head = wait < HEARTBEAT and call('ZRANGE', x.P .. 'dl', 0, 0, 'WITHSCORES')[2]
  local session = head and tonumber(head) - x.now >= wait and call('ZREVRANGE', x.P .. 'wlive', 0, 0)[1]
  if session then R.letter(x, session, {'k', 'wake', 'd', int(wait)}) end
end

-- the head of a lane goes to an idle session; -> false when there is none
local function offer(x, head, ready, lane, facts)
  local session, free, cost = idle_session(x, lane, R.age(x, ready))
  if not session then return false end
  local claim = R.start(x, head, session, lane, facts)
  R.subtract(free, cost)
  call('HSET', x.P .. 'w:' .. session, 'fr', cjson.encode(free))
  R.letter(x, session, {'k', 'claim', 'i', claim[1], 'a', claim[2], 'c', claim[3], 'l', claim[4],
                        'o', claim[5], 'e', claim[6], 'r', claim[7], 'n', claim[8]})
  return true
end

-- offer the heads of a lane to idle sessions, as long as there are both
function R.nudge(x, lane)
  if call('EXISTS', x.P .. 'idle:' .. lane) == 0 then return end
  local facts = R.lane(x, lane)
  if call('SISMEMBER', x.P .. 'paused', facts.q) == 1 then return end
  for _ = 1, MAX_OFFERS do
    local head = R.head(x, lane)
    if not head then return end
    local wait = R.blocked(x, facts)
    if wait then return wait > 0 and R.wake_someone(x, lane, wait) end
    local j = R.job(x, head, 'y', 'D')
    local is_late = j[2] and tonumber(j[2]) <= x.now
    if not (is_late and R.expire_job(x, head)) and not offer(x, head, j[1], lane, facts) then return end
  end
end

-- a session stands by: it is offered jobs of these lanes while `free` lasts
function R.stand_by(x, session, free, lanes)
  call('HSET', x.P .. 'w:' .. session, 'fr', cjson.encode(free))
  local offers, named = {}, {}
  for _, pair in ipairs(lanes) do
    named[pair[1]] = true
    offers[#offers + 1] = pair[1]; offers[#offers + 1] = cjson.encode(pair[2])
    call('ZADD', x.P .. 'idle:' .. pair[1], int(x.now), session)
  end
  for _, lane in ipairs(call('HKEYS', x.P .. 'wl:' .. session)) do
    if not named[lane] then call('ZREM', x.P .. 'idle:' .. lane, session) end
  end
  call('DEL', x.P .. 'wl:' .. session)
  if #offers > 0 then call('HSET', x.P .. 'wl:' .. session, unpack(offers)) end
end

-- a session that has gone stands by for nothing
function R.stand_down(x, session)
  call('HDEL', x.P .. 'w:' .. session, 'fr')
  for _, lane in ipairs(call('HKEYS', x.P .. 'wl:' .. session)) do call('ZREM', x.P .. 'idle:' .. lane, session) end
  call('DEL', x.P .. 'wl:' .. session)
end
