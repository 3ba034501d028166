-- cut: the elements of a cancelled array are told, a bite a call: a hundred thousand may wait for a retry.
--
-- cut      list of arrays some of whose living elements have not been told
-- ac:<id>  indices alive that were told; those that were not stand in am:<id>
-- Until its turn comes an element does not start either: `settle` ends it, and as the head of a
-- lane it ends when it is met.

local FIRST_BITE, BITE = 500, 64

-- how an array was told to end (c | k), why
local function order_of(x, array)
  local j = R.job(x, array, 'cx', 'cy')
  return j[1], j[2] or 'cancelled'
end

-- its array was cancelled: so is it, in whatever state -> true, or nothing
function R.cut_short(x, id, state)
  local array, index = R.parts(id)
  local flag, why = nil, nil
  if index then flag, why = order_of(x, array) end
  if not flag then return end
  R.finish(x, id, state, 'C', why)
  return true
end

-- the first job of a lane, its score
function R.head(x, lane)
  repeat
    local head = call('ZRANGE', x.P .. 'q:' .. lane, 0, 0, 'WITHSCORES')
    if not head[1] or not R.cut_short(x, head[1], 'R') then return head[1], tonumber(head[2]) end
    x.cuts = (x.cuts or 0) + 1
  until x.cuts >= BITE
end

-- true when there may be more
local function bite(x, id, most)
  local flag, why = order_of(x, id)
  if not flag then return end  -- it runs again
  local some = call('SPOP', x.P .. 'am:' .. id, most)
  for _, index in ipairs(some) do
    if R.cancel(x, id .. ':' .. index, why, flag == 'k') == 'asked' then call('SADD', x.P .. 'ac:' .. id, index) end
  end
  return #some == most
end

-- an array has just been cancelled, or once more: all its living elements are to hear of it
function R.cut(x, id)
  for _, index in ipairs(call('SMEMBERS', x.P .. 'ac:' .. id)) do call('SADD', x.P .. 'am:' .. id, index) end
  call('DEL', x.P .. 'ac:' .. id)
  if bite(x, id, FIRST_BITE) then call('RPUSH', x.P .. 'cut', id) end
end

function R.cut_on(x)
  local id = call('LINDEX', x.P .. 'cut', 0)
  if id and not bite(x, id, BITE) then call('LPOP', x.P .. 'cut') end
end
