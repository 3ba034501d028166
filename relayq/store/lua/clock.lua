-- clock: the hub's clock was set back, and what lies ahead by the wrong time is reckoned anew.
--
-- A machine whose own clock is in another zone is hours ahead until it hears the right time, one
-- whose clock has lost its battery years. Whatever is so long from now (a lease, a grace, a retry, the
-- next start that a rate allows, a key taken for a window) would otherwise stand still for so long;
-- jobs that were ready by the wrong time would stand behind all that come later. A time that somebody
-- named (`at`) stays that time, and so does the deadline, or the delay, of a job that was submitted
-- before. All of it in one call, which may take long: it happens once in the life of a machine, if ever.

local NOTICED = 5000  -- what is corrected by less waits that much longer
local DAY = 86400000

-- was it submitted by the wrong time? Then the moments that follow from this are wrong as well
local function is_ahead(x, id) return (tonumber(R.job(x, id, 't')[1]) or 0) > x.now end

-- the moments of a job that have not come come sooner, and so does the end of its key's window
local function correct(x, id, by)
  local j = R.job(x, id, 't', 'y', 'b', 'e', 'u')
  local window = is_ahead(x, id) and string.match(j[5] or '', '^w (.*)$')
  if window then R.unique_sooner(x, id, window, by) end
  for i, field in ipairs({'t', 'y', 'b', 'e'}) do
    local moment = tonumber(j[i])
    if moment and moment > x.now then
      call('HSET', x.P .. 'j:' .. id, field, string.format(field == 'y' and '%.3f' or '%.0f', moment - by))
    end
  end
end

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

-- jobs that stand in these by when that was, some by a time that has not come
local function correct_past(x, index, by)
  local list = call('ZRANGEBYSCORE', x.P .. index, '(' .. int(x.now), '+inf', 'WITHSCORES')
  for i = 1, #list, 2 do
    correct(x, list[i], by)
    call('ZADD', x.P .. index, int(tonumber(list[i + 1]) - by), list[i])
  end
end

local function correct_lanes(x, by)
  for _, lane in ipairs(call('HKEYS', x.P .. 'lanes')) do
    local list = call('ZRANGE', x.P .. 'q:' .. lane, 0, -1, 'WITHSCORES')
    for i = 1, #list, 2 do
      if (tonumber(R.job(x, list[i], 'y')[1]) or 0) > x.now then
        correct(x, list[i], by)
        call('ZADD', x.P .. 'q:' .. lane, string.format('%.3f', tonumber(list[i + 1]) - by), list[i])
      end
    end
  end
end

-- nobody has a lease for longer than a lease, or has been here since a time to come
local function correct_sessions(x, by)
  for _, session in ipairs(call('ZRANGE', x.P .. 'wlive', 0, -1)) do
    local since = tonumber(call('HGET', x.P .. 'w:' .. session, 'since')) or 0
    if since > x.now then call('HSET', x.P .. 'w:' .. session, 'since', int(since - by)) end
    for _, id in ipairs(call('HKEYS', x.P .. 'wj:' .. session)) do correct(x, id, by) end
  end
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

-- when these were last heard of, or used, is no later than now
local function heard_by_now(x)
  local now = int(x.now)
  for _, index in ipairs({'woff', 'lused', 'sk'}) do
    for _, name in ipairs(call('ZRANGEBYSCORE', x.P .. index, '(' .. now, '+inf')) do
      call('ZADD', x.P .. index, now, name)
    end
  end
  R.shares_by_now(x)
  for _, name in ipairs(call('HKEYS', x.P .. 'inn')) do call('DEL', x.P .. 'ib:' .. name) end
end

function R.set_back(x, by)
  if by < NOTICED then return end
  R.believe(x)
  bring_forward(x, 'dl', by, 'D', function(id) return is_ahead(x, id) end)
  bring_forward(x, 'delay', by, 'du', function(id)
    local j = R.job(x, id, 'a', 'dr')
    return j[1] or j[2] and is_ahead(x, id)
  end)
  for _, index in ipairs({'delay', 'lost'}) do
    for _, id in ipairs(call('ZRANGE', x.P .. index, 0, -1)) do correct(x, id, by) end
  end
  bring_forward(x, 'lost', by)
  bring_forward(x, 'nq', by)
  for _, index in ipairs({'pend', 'open', 'done', 'fail'}) do correct_past(x, index, by) end
  correct_lanes(x, by)
  correct_sessions(x, by)
  bring_rates_forward(x, by)
  heard_by_now(x)
  if by > DAY then R.slots_by_now(x) end  -- those of a few hours were fired, if too soon
end
