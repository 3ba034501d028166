-- lanes: sets of jobs with the same queue, needs and limits.
--
-- lanes  lane -> canonical JSON   lx  lane -> {q,l,r,s,c,m,y} as JSON, read by claims
-- lref   lane -> jobs that are not final   lused  lane -> last submit   lanev  version
-- lkept  lane -> finished jobs that are kept   lpast  forgotten lane -> JSON, for one that runs again

local MAX_LANES = 512
local LANE_IDLE = 3600000

function R.lane(x, lane)
  local known = x.lanes[lane]
  if not known then
    known = cjson.decode(call('HGET', x.P .. 'lx', lane) or '{"q":"default"}')
    x.lanes[lane] = known
  end
  return known
end

-- every live session hears of new lanes (they compute what they can serve): once a call, not once a
-- lane, or five hundred lanes would push the claims out of a thousand mailboxes
local function tell_all(x)
  if x.has_told then return end
  x.has_told = true
  for _, session in ipairs(call('ZRANGEBYSCORE', x.P .. 'wlive', int(x.now), '+inf')) do
    R.letter(x, session, {'k', 'wake', 'd', '0'})
  end
end

-- a lane's first job: remember it
function R.add_lane(x, lane, text)
  local json = cjson.decode(text)
  local facts = {q = json.q or 'default', l = json.l, r = json.r, s = json.s}
  R.lane_size(facts, json.n)
  call('HSET', x.P .. 'lanes', lane, text)
  call('HSET', x.P .. 'lx', lane, cjson.encode(facts))
  call('HDEL', x.P .. 'lpast', lane)
  for name in pairs(json.l or {}) do call('SADD', x.P .. 'll:' .. name, lane) end
  call('INCR', x.P .. 'lanev')
  tell_all(x)
end

-- the queue of a lane, also of a forgotten one
function R.queue_of(x, lane)
  local past = call('HGET', x.P .. 'lpast', lane)
  return past and (cjson.decode(past).q or 'default') or R.lane(x, lane).q
end

function R.lanes_left(x) return MAX_LANES - call('HLEN', x.P .. 'lanes') end

function R.lane_holds(x, lane, change)
  call('HINCRBY', x.P .. 'lref', lane, change)
end

function R.lane_keeps(x, lane, change)
  if call('HINCRBY', x.P .. 'lkept', lane, change) > 0 then return end
  call('HDEL', x.P .. 'lkept', lane)
  call('HDEL', x.P .. 'lpast', lane)
end

-- would one more lane be too many? What is forgotten comes back with a job that runs again
function R.has_room_for(x, lane)
  return call('HEXISTS', x.P .. 'lanes', lane) == 1 or R.lanes_left(x) > 0
end

-- a finished job of this lane runs again
function R.lane_again(x, lane)
  local text = call('HGET', x.P .. 'lpast', lane)
  if text then R.add_lane(x, lane, text) end
  R.lane_holds(x, lane, 1)
  R.lane_keeps(x, lane, -1)
  call('ZADD', x.P .. 'lused', int(x.now), lane)
end

local function forget_lane(x, lane)
  if call('HEXISTS', x.P .. 'lkept', lane) == 1 then
    call('HSET', x.P .. 'lpast', lane, call('HGET', x.P .. 'lanes', lane))
  end
  for name in pairs(R.lane(x, lane).l or {}) do call('SREM', x.P .. 'll:' .. name, lane) end
  for _, key in ipairs({'lanes', 'lx', 'lref'}) do call('HDEL', x.P .. key, lane) end
  call('DEL', x.P .. 'idle:' .. lane)
  call('ZREM', x.P .. 'lused', lane)
  call('INCR', x.P .. 'lanev')
end

-- lanes without a job for an hour are forgotten
function R.collect_lanes(x)
  local old = call('ZRANGEBYSCORE', x.P .. 'lused', '-inf', int(x.now - LANE_IDLE), 'LIMIT', 0, 20)
  for _, lane in ipairs(old) do
    if (tonumber(call('HGET', x.P .. 'lref', lane)) or 0) <= 0 then
      forget_lane(x, lane)
    else
      call('ZADD', x.P .. 'lused', int(x.now), lane)
    end
  end
end
