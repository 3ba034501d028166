-- limits: concurrency (a set of holders) and rates (GCRA), both named by the lane.
--
-- lim:<name>  set of running jobs   ll:<name>  lanes with this limit
-- rl:<name>   theoretical arrival time, ms

-- Both are remembered in x while a call runs: a claim asks them of every lane it looks at.

local function spacing(rate) return rate[2] / rate[1] end

local function holders(x, name)
  local count = x.holders[name] or call('SCARD', x.P .. 'lim:' .. name)
  x.holders[name] = count
  return count
end

local function arrival_of(x, name)
  local tat = x.arrivals[name] or tonumber(call('GET', x.P .. 'rl:' .. name)) or 0
  x.arrivals[name] = tat
  return tat
end

-- nil when a job of the lane may start now, else the wait in ms (-1: until a holder ends)
function R.blocked(x, facts)
  for name, most in pairs(facts.l or {}) do
    if holders(x, name) >= most then return -1, 'limit', name end
  end
  for name, rate in pairs(facts.r or {}) do
    local wait = arrival_of(x, name) - (rate[2] - spacing(rate)) - x.now
    if wait > 0 then return math.ceil(wait), 'rate', name end
  end
end

-- one more holds these limits, whose rates are not asked
function R.hold_limits(x, facts, id)
  for name in pairs(facts.l or {}) do
    call('SADD', x.P .. 'lim:' .. name, id)
    x.holders[name] = nil
  end
end

function R.take_limits(x, facts, id)
  R.hold_limits(x, facts, id)
  for name, rate in pairs(facts.r or {}) do
    local arrival = math.max(arrival_of(x, name), x.now) + spacing(rate)
    call('SET', x.P .. 'rl:' .. name, string.format('%.3f', arrival), 'PX', int(math.ceil(arrival - x.now + rate[2])))
    x.arrivals[name] = arrival
  end
end

-- the next start that a rate allows comes sooner (clock.lua)
function R.bring_rate_forward(x, name, by, period)
  local arrival = math.max(0, arrival_of(x, name) - by)
  local life = math.max(1, math.ceil(arrival - x.now + period))
  call('SET', x.P .. 'rl:' .. name, string.format('%.3f', arrival), 'PX', int(life))
  x.arrivals[name] = arrival
end

function R.free_limits(x, facts, id)
  for name in pairs(facts.l or {}) do
    call('SREM', x.P .. 'lim:' .. name, id)
    x.holders[name] = nil
  end
end

-- these limits have room again: when the call is over, whoever is idle may take what waits for it
function R.after_limits(x, facts)
  for name in pairs(facts.l or {}) do x.eased[name] = true end
end

-- the lanes with a limit that has room again, and somebody idle: who waits longest comes first
local function eased_lanes(x)
  local list, met = {}, {}
  for name in pairs(x.eased) do
    for _, lane in ipairs(call('SMEMBERS', x.P .. 'll:' .. name)) do
      if not met[lane] and call('EXISTS', x.P .. 'idle:' .. lane) == 1 then
        local head = call('ZRANGE', x.P .. 'q:' .. lane, 0, 0, 'WITHSCORES')
        if head[1] then list[#list + 1] = {lane, tonumber(head[2])} end
      end
      met[lane] = true
    end
  end
  table.sort(list, function(a, b) return a[2] < b[2] end)
  return list
end

function R.offer_room(x)
  if not next(x.eased) then return end
  for _, pair in ipairs(eased_lanes(x)) do R.nudge(x, pair[1]) end
end
