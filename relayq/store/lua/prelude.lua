-- prelude: what every transition stands on: the namespace, the hub's clock, counters, events.
--
-- Every key is built from the anchor KEYS[1] = '{rq:<fleet>}:cfg'. A transition
-- is a function in R; `x` is the context of one call: P prefix, now (ms).
-- Counters are gathered in x and written once, by R.close, which first offers what limits have room for.
--
-- Fields of j:<id> (short, so that the hash stays a listpack): s state  l lane
-- p priority  t submitted  y ready  a attempt  c crashes  v attempts that do not count
-- m attempts in all  w session  b begun  e ended (as its worker measured)  x exit code  r reason
-- d open dependencies  u unique key  f on_lost  g grace  D deadline  k output kept
-- h held (1 by order, s by its sender, l lost its worker, a waits for approval)  ho po the signed
-- orders behind h and p  cx cancel asked  cy why  wt watched  z bytes retained  pm pg progress
-- lo le log bytes of stdout, stderr  lb log bytes in the hub  lh end of the log's head
-- hb attempts handed back, or forgotten  du due (dr: so long from then; dd: what was it before, leap.lua)
-- ls lost and queued again  ld log bytes not kept
-- arrays: n size  n0 first index  nx next index  gt gated (1; 2: open)  sq sequential  ix what it waits for by index
-- nS nF nC nK elements ended  nR elements alive  rc ra what became of the never started
-- ma highest attempt of an element  ab attempts before the array ran again
-- us what it took (meter.lua)  nt whom to tell  ne the end that is told (notices.lua)

local R = {}
local function call(...) return redis.call(...) end  -- redis.call exists only while a function runs
local LEASE = 60000
local HEARTBEAT = 20000
local TICK = 1000
local CRASH_LIMIT = 5
local PRIORITY_STEP = 600000
local FINAL = {S = true, F = true, C = true, K = true, E = true}

local function int(number) return string.format('%.0f', number) end

local function fields(list)
  local map = {}
  for i = 1, #list, 2 do map[list[i]] = list[i + 1] end
  return map
end

local function filled(value) return value and value ~= '' end

function R.open(keys)
  local clock = call('TIME')
  local micros = tonumber(clock[2])
  local now = tonumber(clock[1]) * 1000 + math.floor(micros / 1000) + (tonumber(call('HGET', keys[1], 'shift')) or 0)
  return {P = string.sub(keys[1], 1, -4), now = now, micro = micros % 1000,
          dice = micros, counts = {}, day = {}, used = {}, lanes = {}, holders = {}, arrivals = {},
          uses = {}, share_weights = {}, eased = {}}
end

function R.close(x)
  R.offer_room(x)
  for state, change in pairs(x.counts) do
    if change ~= 0 then call('HINCRBY', x.P .. 'n', state, int(change)) end
  end
  if next(x.day) then
    local stats = x.P .. 'hs:' .. int(math.floor(x.now / 86400000))
    for name, change in pairs(x.day) do call('HINCRBY', stats, name, int(change)) end
    call('EXPIRE', stats, 1296000)
  end
  R.write_meter(x)
end

-- a job goes from one state to another: the two counters
function R.count(x, from, to)
  if from then x.counts[from] = (x.counts[from] or 0) - 1 end
  x.counts[to] = (x.counts[to] or 0) + 1
end

-- the same with the field
function R.move(x, id, from, to)
  call('HSET', x.P .. 'j:' .. id, 's', to)
  R.count(x, from, to)
end

-- statistics: the day's total and the minute's
function R.tally(x, what, amount)
  local minute = int(math.floor(x.now / 60000) % 1440) .. ':' .. what
  x.day[what] = (x.day[what] or 0) + (amount or 1)
  x.day[minute] = (x.day[minute] or 0) + (amount or 1)
end

-- `op` is the order behind it as somebody signed it, for whoever wants to know who that was
function R.event(x, kind, id, detail, op)
  if filled(op) then
    call('XADD', x.P .. 'ev', 'MAXLEN', '~', 4000, '*', 'k', kind, 'i', id, 'd', detail or '', 'o', op)
  else
    call('XADD', x.P .. 'ev', 'MAXLEN', '~', 4000, '*', 'k', kind, 'i', id, 'd', detail or '')
  end
end

-- the signed order behind what stands in a hash now, or nothing: readers take that for an alarm
function R.keep_order(key, field, op)
  if filled(op) then call('HSET', key, field, op) else call('HDEL', key, field) end
end

function R.job(x, id, ...)
  return call('HMGET', x.P .. 'j:' .. id, ...)
end

-- '<id>:<index>' -> id, index; a plain id -> id, nil
function R.parts(id)
  local parent, index = string.match(id, '^([^:]+):(%d+)$')
  return parent or id, index
end

-- when a job became ready: a microsecond after the one before it in this call, so that jobs of one
-- batch are served in their order (no job is submitted in less than that)
function R.next_moment(x)
  x.micro = x.micro + 1  -- whole microseconds: sums of thousandths would drift
  return x.now + x.micro / 1000
end

-- whole ms since a job became ready
function R.age(x, ready) return math.max(0, math.floor(x.now - (tonumber(ready) or x.now))) end

-- the place in a lane: ready ms, ten minutes earlier for each step of priority
function R.score(ready, priority)
  return string.format('%.3f', ready - (tonumber(priority) or 0) * PRIORITY_STEP)
end

-- a number in [0, top): the clock's microseconds stirred with the job's name, since
-- scripts have no randomness of their own
function R.random(x, top, salt)
  local seed = x.dice + 1
  for i = 1, #salt do seed = (seed * 31 + string.byte(salt, i)) % 1000003 end
  x.dice = (x.dice * 7919 + seed) % 1000003
  return math.floor(x.dice / 1000003 * top)
end

function R.online(x, session)
  local expires = call('ZSCORE', x.P .. 'wlive', session)
  return expires and tonumber(expires) > x.now
end
