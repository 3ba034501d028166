-- clock: the hub's clock was set back, and what lies ahead by the wrong time is reckoned anew.
--
-- A machine whose own clock is in another zone is hours ahead until it hears the right time. Whatever
-- is so long from now (a lease, a grace, a retry, the next start that a rate allows) would otherwise
-- stand still for these hours. A time that somebody named (`at`) stays that time. All of it in one
-- call, which may take long: it happens once in the life of a machine, if ever.

local NOTICED = 5000  -- what is corrected by less waits that much longer

-- what stands in these indices comes sooner; `field` of the job says the same
local function bring_forward(x, index, by, field, is_meant)
  local list = call('ZRANGE', x.P .. index, 0, -1, 'WITHSCORES')
  for i = 1, #list, 2 do
    local id, moment = list[i], int(tonumber(list[i + 1]) - by)
    if not is_meant or is_meant(id) then
      call('ZADD', x.P .. index, moment, id)
      if field then call('HSET', x.P .. 'j:' .. id, field, moment) end
    end
  end
end

-- nobody has a lease for longer than a lease
local function shorten_leases(x)
  local most = int(x.now + LEASE)
  for _, session in ipairs(call('ZRANGEBYSCORE', x.P .. 'wlive', '(' .. most, '+inf')) do
    call('ZADD', x.P .. 'wlive', most, session)
  end
end

local function bring_rates_forward(x, by)
  local rates = {}
  for _, lane in ipairs(call('HKEYS', x.P .. 'lanes')) do
    for name, rate in pairs(R.lane(x, lane).r or {}) do rates[name] = math.max(rate[2], rates[name] or 0) end
  end
  for name, period in pairs(rates) do R.bring_rate_forward(x, name, by, period) end
end

function R.set_back(x, by)
  if by < NOTICED then return end
  bring_forward(x, 'lost', by)
  bring_forward(x, 'nq', by)
  bring_forward(x, 'dl', by, 'D')
  bring_forward(x, 'delay', by, 'du', function(id)
    local j = R.job(x, id, 'a', 'dr')
    return j[1] or j[2]
  end)
  shorten_leases(x)
  bring_rates_forward(x, by)
end
