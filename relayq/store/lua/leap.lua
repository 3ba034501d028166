-- leap: the hub's clock is suddenly an hour later or more: nobody called for so long, or it is wrong.
--
-- A machine whose clock has lost its battery begins in another year and hears the right time a
-- moment later. So for a while after a leap nothing ends and nothing is forgotten for its age. What is
-- too late by then neither starts nor expires: it waits as if it were delayed, and goes on as before
-- when the clock is set back (clock.lua).
-- cfg's `doubt`: until when the clock is doubted     dd of j:<id>: until when it was delayed before, or 0

local LEAP, DOUBT = 3600000, 600000

-- until when, or false
function R.in_doubt(x)
  if x.doubt ~= nil then return x.doubt end
  local cfg = call('HMGET', x.P .. 'cfg', 'tick', 'doubt')
  local till = tonumber(cfg[2]) or 0
  if cfg[1] and x.now - cfg[1] > LEAP then
    till = x.now + DOUBT
    call('HSET', x.P .. 'cfg', 'doubt', int(till))
  end
  x.doubt = till > x.now and till
  return x.doubt
end

-- RUNNABLE | PENDING -> PENDING(delay): too late, if the clock is right
function R.put_off(x, id, state)
  local till = int(R.in_doubt(x))
  call('HSETNX', x.P .. 'j:' .. id, 'dd', R.job(x, id, 'du')[1] or '0')
  call('HSET', x.P .. 'j:' .. id, 'du', till)
  call('ZADD', x.P .. 'dl', till, id)
  R.settle(x, id, state, true)
end

-- the clock was set back: all that was put off was not late
function R.believe(x)
  x.doubt = false
  if call('HDEL', x.P .. 'cfg', 'doubt') == 0 then return end
  for _, id in ipairs(call('ZRANGE', x.P .. 'dl', 0, -1)) do
    local j = R.job(x, id, 'dd', 'D', 's')
    if j[1] then
      call('HDEL', x.P .. 'j:' .. id, 'dd', 'du')
      if j[1] ~= '0' then call('HSET', x.P .. 'j:' .. id, 'du', j[1]) end
      call('ZADD', x.P .. 'dl', j[2], id)
      if j[3] == 'P' then R.settle(x, id, 'P', true) end
    end
  end
end
