-- budget: the minutes of GitHub Actions as clients have counted them, and what steps reported.
--
-- bu  hash: runs, bill, limit, crons <repo> -> JSON, as the client that read it wrote it
-- bs  hash: runs, bill -> JSON, the sum of the month alone: all that submit-only users may read
-- bh  hash: month -> JSON, how each month ended (the last figures that were written for it)
-- br:<month>  hash, kept 70 days: '<repo> <run>' -> JSON of a run whose jobs have all ended
-- st:<day>    hash, kept 70 days: '<run>.<attempt>.<job>.<runner>' -> JSON of a step that submits

local KEPT = 6048000
local MOST = 20000  -- records a day or month: beyond it nobody counts by steps

local function is_month(text) return type(text) == 'string' and string.match(text, '^%d%d%d%d%-%d%d$') end

-- request: what, json, month + ended (what to remember of the month), told (for `bs`)      -> 'kept'
function R.budget_put(x, request, op)
  call('HSET', x.P .. 'bu', request.what, request.json)
  if is_month(request.month) then call('HSET', x.P .. 'bh', request.month, request.ended) end
  if request.told then call('HSET', x.P .. 'bs', request.what, request.told) end
  R.event(x, 'budget', request.what, op and request.json, op)
  return 'kept'
end

-- request: month, runs {name: json}      -> 'kept' | 'full'
function R.budget_runs(x, request)
  if not is_month(request.month) then return 'no-month' end
  local key = x.P .. 'br:' .. request.month
  if call('HLEN', key) > MOST then return 'full' end
  for name, text in pairs(request.runs) do call('HSET', key, name, text) end
  call('EXPIRE', key, KEPT)
  return 'kept'
end

-- a step says that it runs; said again by the same step, the later word holds    -> 'kept' | 'full'
function R.step(x, request)
  local key = x.P .. 'st:' .. int(math.floor(x.now / 86400000))
  if call('HLEN', key) >= MOST then return 'full' end
  request.seen_ms = math.floor(x.now)
  call('HSET', key, request.key, cjson.encode(request))
  call('EXPIRE', key, KEPT)
  return 'kept'
end

-- request: month, days (numbers since 1970)
-- -> {now, bu, bh, runs of the month, steps of the days, work of the days}
function R.budget(x, request)
  local steps, work = {}, {}
  for _, day in ipairs(request.days) do
    steps[#steps + 1] = call('HVALS', x.P .. 'st:' .. int(day))
    work[#work + 1] = call('HGETALL', x.P .. 'wu:' .. int(day))
  end
  local runs = request.runs and is_month(request.month) and call('HGETALL', x.P .. 'br:' .. request.month) or {}
  return {int(x.now), call('HGETALL', x.P .. 'bu'), call('HGETALL', x.P .. 'bh'), runs, steps, work}
end
