-- meter: what work took, for the price tag; counted when an attempt is reported.
--
-- wu:<day>  hash, kept 400 days: '<worker>:<what>' -> sum over the attempts reported that day, what being
--   r ms run   c CPUs x ms, an attempt counted as a minute at least (as Fargate bills)   g MiB x those ms
--   L M W minutes that a hosted runner (Linux, macOS, Windows) would bill, each attempt rounded up
--   j millijoules   u ms on workers whose watts nobody told
-- us of j:<id>  the same of one job: 'r c g minutes j u', an array's with all its elements
-- pw of w:<session>  milliwatts of one CPU's share of the machine: watts / CPUs

local MINUTE = 60000
local KEPT = 34560000
local MIB_A_CPU = 2048  -- the least memory that Fargate gives
local UNITS = {K = 1 / 1024, M = 1, G = 1024, T = 1048576}

-- what of a lane's needs decides the price: c CPUs, m MiB, y the hosted runner's letter
function R.lane_size(facts, words)
  facts.c, facts.m, facts.y = 1, 0, 'L'
  for _, word in ipairs(words or {}) do
    local number, unit = string.match(word, '^memory=([%d.]+)(%a?)')
    if number then facts.m = tonumber(number) * (UNITS[unit] or 1 / 1048576) end
    facts.c = tonumber(string.match(word, '^cpus=([%d.]+)$')) or facts.c
    if word == 'mac' or word == 'macos' or word == 'darwin' then facts.y = 'M' end
    if word == 'windows' then facts.y = 'W' end
  end
end

local function milliwatts(x, session)
  x.watts = x.watts or {}
  if x.watts[session] == nil then
    x.watts[session] = tonumber(call('HGET', x.P .. 'w:' .. session, 'pw')) or false
  end
  return x.watts[session]
end

function R.meter(x, session, id, run)
  if run <= 0 then return end
  local facts = R.lane(x, R.job(x, id, 'l')[1])
  local cpus, power = facts.c or 1, milliwatts(x, session)
  local billed = cpus * math.max(run, MINUTE)
  local took = {run, billed, math.max(facts.m or 0, MIB_A_CPU * cpus) * billed / cpus, math.ceil(run / MINUTE),
                power and power * cpus * run / 1000 or 0, power and 0 or run}
  local worker = string.match(session, '^(.*)#') or session
  for i, what in ipairs({'r', 'c', 'g', facts.y or 'L', 'j', 'u'}) do
    local name = worker .. ':' .. what
    if took[i] > 0 then x.used[name] = (x.used[name] or 0) + took[i] end
  end
  local key = x.P .. 'j:' .. R.parts(id)
  local i = 0
  for before in string.gmatch(call('HGET', key, 'us') or '', '%S+') do
    i = i + 1
    took[i] = took[i] + tonumber(before)
  end
  for at, number in ipairs(took) do took[at] = int(number) end
  call('HSET', key, 'us', table.concat(took, ' '))
end

function R.write_meter(x)
  if not next(x.used) then return end
  local day = x.P .. 'wu:' .. int(math.floor(x.now / 86400000))
  for name, amount in pairs(x.used) do call('HINCRBY', day, name, int(amount)) end
  call('EXPIRE', day, KEPT)
end
