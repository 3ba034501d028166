-- shares: fair share between the names that submitters give, by decayed use.
--
-- sh  hash: <share> -> use in job-ms, <share>@ -> when that was computed
-- shw hash: <share> -> weight (default 1).  Half of the use is forgotten every hour.

local HALF_LIFE = 3600000
local FADED = 72 * HALF_LIFE  -- of the most that a fleet can have used nothing is left then
local START_CHARGE = 1000
local FIELDS_A_BITE = 20

local function use_of(x, share)
  if x.uses[share] then return x.uses[share] end
  local pair = call('HMGET', x.P .. 'sh', share, share .. '@')
  local use, at = tonumber(pair[1]) or 0, tonumber(pair[2]) or x.now
  x.uses[share] = use * math.pow(0.5, math.max(0, x.now - at) / HALF_LIFE)
  return x.uses[share]
end

function R.share_use(x, share)
  local weight = x.share_weights[share] or tonumber(call('HGET', x.P .. 'shw', share)) or 1
  x.share_weights[share] = weight
  return use_of(x, share) / weight
end

function R.charge(x, facts, amount)
  local share = facts.s
  if not filled(share) then return end
  local use = use_of(x, share) + (amount or START_CHARGE)
  x.uses[share] = use
  call('HSET', x.P .. 'sh', share, string.format('%.3f', use), share .. '@', int(x.now))
end

-- names that nobody has used for so long that nothing is left of it: each tick goes on from where
-- the one before stopped looking
function R.forget_shares(x)
  local page = call('HSCAN', x.P .. 'sh', call('HGET', x.P .. 'cfg', 'shares') or '0', 'COUNT', FIELDS_A_BITE)
  call('HSET', x.P .. 'cfg', 'shares', page[1])
  for i = 1, #page[2], 2 do
    local share, at = string.match(page[2][i], '^(.*)@$'), string.match(page[2][i + 1], '^%d+$')
    if share and at and x.now - tonumber(at) > FADED then call('HDEL', x.P .. 'sh', share, share .. '@') end
  end
end

-- what was used by a time that has not come was used now (clock.lua)
function R.shares_by_now(x)
  local list = call('HGETALL', x.P .. 'sh')
  for i = 1, #list, 2 do
    if string.find(list[i], '@$') and tonumber(list[i + 1]) > x.now then call('HSET', x.P .. 'sh', list[i], int(x.now)) end
  end
end
