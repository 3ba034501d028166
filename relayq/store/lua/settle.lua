-- settle: where a job that is not running belongs: PENDING (dependency, held, delay) or RUNNABLE.
--
-- pend   zset: held, or waiting for a dependency   delay  zset: due time
-- `leave` takes a job out of the one index that its state demands.

function R.leave(x, id, state)
  local j = R.job(x, id, 'l', 'w', 'n')
  if state == 'R' then
    call('ZREM', x.P .. 'q:' .. j[1], id)
  elseif state == 'P' then
    call('ZREM', x.P .. 'pend', id)
    call('ZREM', x.P .. 'delay', id)
  elseif state == 'U' then
    call('ZREM', x.P .. 'lost', id)
  elseif state == 'N' then
    if j[3] then call('ZREM', x.P .. 'open', id) elseif j[2] then call('HDEL', x.P .. 'wj:' .. j[2], id) end
  elseif state then
    call('ZREM', x.P .. 'done', id)
    call('ZREM', x.P .. 'fail', id)
  end
end

local function wait(x, id, from, index, score, reason)
  call('ZADD', x.P .. index, int(score), id)
  call('HSET', x.P .. 'j:' .. id, 'r', reason)
  if from ~= 'P' then R.move(x, id, from, 'P') end
  R.event(x, 'wait', id, reason)
end

function R.settle(x, id, from, keep_place)
  if from and R.cut_short(x, id, from) then return end
  if from then R.leave(x, id, from) end
  local j = R.job(x, id, 'd', 'h', 'du', 'gt', 'l', 'p', 'y')
  local due = tonumber(j[3]) or 0
  if (tonumber(j[1]) or 0) > 0 or (j[4] == '1' and call('LLEN', x.P .. 'ar:' .. id) == 0) then
    wait(x, id, from, 'pend', x.now, 'dependency')
  elseif j[2] then
    wait(x, id, from, 'pend', x.now, j[2] == 'a' and 'approval' or 'held')
  elseif due > x.now then
    wait(x, id, from, 'delay', due, 'delay')
    R.wake_someone(x, j[5], due - x.now)
  else
    R.make_ready(x, id, from, j[5], j[6], keep_place and j[7])
  end
end
