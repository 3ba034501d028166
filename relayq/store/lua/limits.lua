-- limits: concurrency (a set of holders) and rates (GCRA), both named by the lane.
--
-- lim:<name>  set of running jobs   ll:<name>  lanes with this limit
-- rl:<name>   theoretical arrival time, ms

local function spacing(rate) return rate[2] / rate[1] end

-- nil when a job of the lane may start now, else the wait in ms (-1: until a holder ends)
function R.blocked(x, facts)
  for name, most in pairs(facts.l or {}) do
    if call('SCARD', x.P .. 'lim:' .. name) >= most then return -1, 'limit', name end
  end
  for name, rate in pairs(facts.r or {}) do
    local tat = tonumber(call('GET', x.P .. 'rl:' .. name)) or 0
    local wait = tat - (rate[2] - spacing(rate)) - x.now
    if wait > 0 then return math.ceil(wait), 'rate', name end
  end
end

function R.take_limits(x, facts, id)
  for name in pairs(facts.l or {}) do call('SADD', x.P .. 'lim:' .. name, id) end
  for name, rate in pairs(facts.r or {}) do
    local tat = tonumber(call('GET', x.P .. 'rl:' .. name)) or 0
    local arrival = math.max(tat, x.now) + spacing(rate)
    call('SET', x.P .. 'rl:' .. name, string.format('%.3f', arrival), 'PX', int(math.ceil(arrival - x.now + rate[2])))
  end
end

function R.free_limits(x, facts, id)
  for name in pairs(facts.l or {}) do call('SREM', x.P .. 'lim:' .. name, id) end
end

-- a limit has room again: whoever is idle may take what waits for it, in any lane
function R.after_limits(x, facts)
  for name in pairs(facts.l or {}) do
    for _, lane in ipairs(call('SMEMBERS', x.P .. 'll:' .. name)) do R.nudge(x, lane) end
  end
end
