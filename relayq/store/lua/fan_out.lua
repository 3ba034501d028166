-- fan_out: tell the dependents of finished jobs, at most 500 in one call.
--
-- What is left over is told a bite at a time, and whoever took the last one comes back at once for the
-- next (sync.lua): a hundred thousand would else wait for two hundred ticks. Others leave it to that
-- one, unless it is late. cfg's `fanned`: '<when> <session>' of the last bite.
--
-- dep:<id>  list of '<dependent> <on>'      fan  list of '<finished job> <state>' not yet told through
-- When a job runs again before all were told, AGAIN stands in dep:<id> between those that hear of
-- the end before and those that came later.
-- A dependent whose demand is not met is SKIPPED, and so are its own dependents, whatever
-- path led there.

local BUDGET, BITE = 500, 250
local PACE = 25
local AGAIN = '- -'

function R.satisfied(on, state)
  if on == 'any' then return true end
  if on == 'failed' then return state == 'F' end
  return state == 'S'
end

local function tell(x, dependent, on, state)
  local j = R.job(x, dependent, 's', 'd')
  if j[1] ~= 'P' or not j[2] then return end
  if not R.satisfied(on, state) then return R.skip(x, dependent) end
  local open = call('HINCRBY', x.P .. 'j:' .. dependent, 'd', -1)
  if open <= 0 then R.settle(x, dependent, 'P') end
end

-- a job that has ended runs again
function R.fan_again(x, id)
  if call('EXISTS', x.P .. 'dep:' .. id) == 1 then call('RPUSH', x.P .. 'dep:' .. id, AGAIN) end
end

function R.skip(x, id)
  if call('HEXISTS', x.P .. 'j:' .. id, 'n') == 1 then
    R.end_rest(x, id, 'K')
    return R.array_check(x, id)
  end
  R.finish(x, id, 'P', 'K', 'dependency')
end

function R.fan_out(x, most)
  if x.fanning then return end
  x.fanning = true
  x.told = x.told or 0
  while x.told < (most or BUDGET) do
    local ended = call('LINDEX', x.P .. 'fan', 0)
    if not ended then break end
    local id, state = string.match(ended, '^(%S+) (%S+)$')
    local entry = call('LPOP', x.P .. 'dep:' .. id)
    if entry and entry ~= AGAIN then
      x.told = x.told + 1
      local dependent, on = string.match(entry, '^(%S+) (%S+)$')
      tell(x, dependent, on, state)
    else
      call('LPOP', x.P .. 'fan')
    end
  end
  x.fanning = nil
end

-- `last` is who took the last bite, and when
function R.fan_on(x, last)
  if call('EXISTS', x.P .. 'fan') == 0 then return end
  local before, who = string.match(last or '', '^(%d+) (.*)$')
  x.tells = who == x.session
  if before and math.abs(x.now - before) < PACE then return end
  x.tells = true
  call('HSET', x.P .. 'cfg', 'fanned', int(x.now) .. ' ' .. (x.session or ''))
  R.fan_out(x, BITE)
end

-- ms until this caller should come for more, or nil when there is no more
function R.fan_wait(x)
  if call('EXISTS', x.P .. 'fan') == 1 then return (x.tells or (x.told or 0) > 0) and PACE or TICK end
end
