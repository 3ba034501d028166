-- sync: one heartbeat. Renew, take output and reports, reconcile, keep house, claim, stand by.
--
-- ARGV 1 JSON: session, held {job: attempt}, full, done [report], logs [[id, attempt, stream,
--   offset, jump, size]], progress [[id, percent, message]], free, lanes [[lane, cost]], empty [lane],
--   want, idle, unserved, facts, mail      2.. data of the logs, in their order, then results
-- -> {'ok', now, lanes version, next ms, command, claims, reports, orders, gone, log offsets, wide,
--     roster version, inboxes that wait (-1: there are none)}
--    or {'unknown'}: register again.  Every part may be repeated: the answer is the same.

local function take_logs(x, session, logs, data)
  local offsets = {}
  for i, chunk in ipairs(logs or {}) do
    local have = R.append_log(x, session, chunk, data[i + 1])
    if have then
      offsets[#offsets + 1] = chunk[1]; offsets[#offsets + 1] = int(have[1]); offsets[#offsets + 1] = int(have[2])
    end
  end
  return offsets
end

local function take_progress(x, session, list)
  for _, item in ipairs(list or {}) do
    local j = R.job(x, item[1], 's', 'w')
    if j[1] == 'N' and j[2] == session then
      call('HSET', x.P .. 'j:' .. item[1], 'pm', tostring(item[2]), 'pg', string.sub(tostring(item[3] or ''), 1, 8192))
      R.event(x, 'progress', item[1], tostring(item[2]))
    end
  end
end

local function take_reports(x, session, done, data)
  local words = {}
  for _, report in ipairs(done or {}) do
    words[#words + 1] = report.id
    words[#words + 1] = R.report(x, session, report, data)
  end
  return words
end

-- what the hub says this session holds, against what it lists: claims it never got are sent
-- again, attempts that are not its own any more are named
local function reconcile(x, session, request)
  local again, gone, mine, reported = {}, {}, {}, {}
  for _, report in ipairs(request.done or {}) do reported[report.id] = true end
  local list = call('HGETALL', x.P .. 'wj:' .. session)
  for i = 1, #list, 2 do
    local id, attempt = list[i], tonumber(list[i + 1])
    mine[id] = attempt
    if request.held[id] ~= attempt then
      local j = R.job(x, id, 'c', 'v', 'l')
      again[#again + 1] = R.claim_of(x, id, j[3], attempt, j)
    end
  end
  for id, attempt in pairs(request.held) do
    if mine[id] ~= attempt and not reported[id] and not R.adopt(x, session, id, attempt) then gone[#gone + 1] = id end
  end
  return again, gone
end

-- claims that were pushed after the worker wrote this: their room is not free any more
local function deduct_unread(x, session, request)
  local from = filled(request.mail) and request.mail ~= '0' and '(' .. request.mail or '-'
  for _, letter in ipairs(call('XRANGE', x.P .. 'mb:' .. session, from, '+')) do
    local told = fields(letter[2])
    local held = told.k == 'claim' and not request.held[told.i] and call('HGET', x.P .. 'wj:' .. session, told.i)
    local cost = held == told.a and call('HGET', x.P .. 'wl:' .. session, told.l)
    if cost then R.subtract(request.free, cjson.decode(cost)) end
  end
end

local CUT = 20  -- ms until somebody tells the next elements of a cancelled array

-- when something falls due: delays and deadlines at every sync, the rest at the next tick
local function earliest(x, waits)
  local nearest = HEARTBEAT
  local cfg = call('HMGET', x.P .. 'cfg', 'tick', 'behind')
  local tick = (tonumber(cfg[1]) or 0) + TICK
  for index, soonest in pairs({delay = 0, dl = 0, lost = tick}) do
    local head = call('ZRANGE', x.P .. index, 0, 0, 'WITHSCORES')
    if head[2] then nearest = math.min(nearest, math.max(tonumber(head[2]), soonest) - x.now) end
  end
  for _, wait in ipairs(waits) do nearest = math.min(nearest, wait) end
  nearest = math.min(nearest, cfg[2] and TICK or HEARTBEAT, R.fan_wait(x) or HEARTBEAT)
  if call('EXISTS', x.P .. 'cut') == 1 then nearest = math.min(nearest, CUT) end
  return math.max(5, math.ceil(nearest))
end

local function remember(x, session, request)
  local key = x.P .. 'w:' .. session
  if request.facts then call('HSET', key, 'facts', request.facts) end
  if request.unserved then call('HSET', key, 'unserved', request.unserved) end
  if filled(request.mail) and request.mail ~= '0' then call('XTRIM', x.P .. 'mb:' .. session, 'MINID', request.mail) end
end

function R.sync(x, request, data)
  local session = request.session
  x.session = session
  if not call('ZSCORE', x.P .. 'wlive', session) then return {'unknown'} end
  call('ZADD', x.P .. 'wlive', int(x.now + LEASE), session)
  call('HDEL', x.P .. 'w:' .. session, 'fr')  -- what is free now stands in the request: offer it once
  remember(x, session, request)
  local offsets = take_logs(x, session, request.logs, data)
  take_progress(x, session, request.progress)
  local words = take_reports(x, session, request.done, data)
  local again, gone = {}, {}
  if request.full then again, gone = reconcile(x, session, request) end
  R.tick(x)
  deduct_unread(x, session, request)
  local claims, waits, rank = again, {}, nil
  local command = call('HGET', x.P .. 'w:' .. session, 'cmd') or ''
  if #again == 0 and not filled(command) then
    claims, waits, rank = R.claim(x, session, request)
  else
    request.idle = false
    x.paused, x.weights = {}, {}
  end
  local wide = R.wide(x, request, rank)
  if request.idle then R.stand_by(x, session, request.free, request.lanes) end
  return {'ok', int(x.now), call('GET', x.P .. 'lanev') or '0', int(earliest(x, waits)), command, claims, words,
          call('SMEMBERS', x.P .. 'fl:' .. session), gone, offsets, wide, R.roster_version(x), R.waiting_inboxes(x)}
end
