-- lanes: sets of jobs with the same queue, needs and limits.
--
-- lanes  lane -> canonical JSON   lx  lane -> {q,l,r,s} as JSON, read by claims
-- lref   lane -> jobs that are not final   lused  lane -> last submit   lanev  version

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

-- a lane's first job: remember it, tell every live session (they compute what they can serve)
function R.add_lane(x, lane, text)
  local json = cjson.decode(text)
  local facts = {q = json.q or 'default', l = json.l, r = json.r, s = json.s}
  call('HSET', x.P .. 'lanes', lane, text)
  call('HSET', x.P .. 'lx', lane, cjson.encode(facts))
  call('INCR', x.P .. 'lanev')
  for _, session in ipairs(call('ZRANGEBYSCORE', x.P .. 'wlive', int(x.now), '+inf')) do
    R.letter(x, session, {'k', 'wake', 'd', '0'})
  end
end

function R.lanes_left(x) return MAX_LANES - call('HLEN', x.P .. 'lanes') end

function R.lane_holds(x, lane, change)
  call('HINCRBY', x.P .. 'lref', lane, change)
end

-- lanes without a job for an hour are forgotten
function R.collect_lanes(x)
  local old = call('ZRANGEBYSCORE', x.P .. 'lused', '-inf', int(x.now - LANE_IDLE), 'LIMIT', 0, 20)
  for _, lane in ipairs(old) do
    if (tonumber(call('HGET', x.P .. 'lref', lane)) or 0) <= 0 then
      call('HDEL', x.P .. 'lanes', lane)
      call('HDEL', x.P .. 'lx', lane)
      call('HDEL', x.P .. 'lref', lane)
      call('DEL', x.P .. 'idle:' .. lane)
      call('ZREM', x.P .. 'lused', lane)
      call('INCR', x.P .. 'lanev')
    else
      call('ZADD', x.P .. 'lused', int(x.now), lane)
    end
  end
end
