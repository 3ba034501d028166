-- shares: fair share between the names that submitters give, by decayed use.
--
-- sh  hash: <share> -> use in job-ms, <share>@ -> when that was computed
-- shw hash: <share> -> weight (default 1).  Half of the use is forgotten every hour.

local HALF_LIFE = 3600000
local START_CHARGE = 1000

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
