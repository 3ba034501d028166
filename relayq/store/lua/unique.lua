-- unique: at most one live job per key.  uq:<key> = '<job> <free at ms, 0: when the job says so>'
--
-- j.u = '<mode> <key>'; mode d until done, q while queued, w for a window, r replace.

local MODES = {until_done = 'd', queued = 'q', window = 'w', replace = 'r'}

function R.unique_holder(x, key)
  local value = call('GET', x.P .. 'uq:' .. key)
  if not value then return end
  local id, free = string.match(value, '^(%S+) (%d+)$')
  if tonumber(free) > 0 and tonumber(free) <= x.now then return end
  return id
end

function R.unique_take(x, id, unique)
  local key, mode, window = unique[1], MODES[unique[2]] or 'd', tonumber(unique[3]) or 0
  local free = mode == 'w' and x.now + window or 0
  call('SET', x.P .. 'uq:' .. key, id .. ' ' .. int(free))
  if mode == 'w' then call('PEXPIRE', x.P .. 'uq:' .. key, int(math.max(window, 1))) end
  call('HSET', x.P .. 'j:' .. id, 'u', mode .. ' ' .. key)
end

-- a key that is taken for a window is free so much sooner (clock.lua)
function R.unique_sooner(x, id, key, by)
  local holder, free = string.match(call('GET', x.P .. 'uq:' .. key) or '', '^(%S+) (%d+)$')
  if holder ~= id or tonumber(free) == 0 then return end
  local rest = math.max(1, tonumber(free) - by - x.now)
  call('SET', x.P .. 'uq:' .. key, id .. ' ' .. int(x.now + rest), 'PX', int(rest))
end

local function free(x, id, key)
  local value = call('GET', x.P .. 'uq:' .. key)
  if value and string.match(value, '^(%S+)') == id then call('DEL', x.P .. 'uq:' .. key) end
end

-- a finished job runs again: it has its key back, unless that was for a window only
function R.unique_again(x, id, unique)
  if string.sub(unique, 1, 1) ~= 'w' then call('SET', x.P .. 'uq:' .. string.sub(unique, 3), id .. ' 0') end
end

function R.unique_started(x, id, unique)
  if string.sub(unique, 1, 1) == 'q' then free(x, id, string.sub(unique, 3)) end
end

function R.unique_ended(x, id, unique)
  if string.sub(unique, 1, 1) ~= 'w' then free(x, id, string.sub(unique, 3)) end
end
