-- follow: arrays whose elements wait for the element with the same index of other arrays.
--
-- dx:<id>  arrays that wait for this one index by index     ix of j:<id>  [[array, on]...] waited for
-- An element that ended is told at once, index by index. An array that has begun, or that ends before
-- all of its elements began, tells them all together, from one look at its bits: they may be ten thousand.

-- an array that waits index to index may start whatever it still waits with
local function open_gate(x, parent, j)
  call('HSET', x.P .. 'j:' .. parent, 'gt', '2')
  if j.s == 'N' or j.s == 'P' then R.settle(x, parent, j.s, true) else R.nudge(x, j.l) end
end

-- may an index start, if these arrays are waited for? true, false, or nil while one has not ended there
local function may_start(letter_of, waits, index)
  local may = true
  for _, wait in ipairs(waits) do
    local letter = letter_of(wait[1], index)
    if not letter then may = nil
    elseif not R.satisfied(wait[2], letter) then return false end
  end
  return may
end

-- one index of an array that waits index to index: start it, or skip it; told twice it is told once
local function index_ready(x, parent, index)
  local j = R.job(x, parent, 's', 'ix', 'gt')
  if not j[1] or FINAL[j[1]] or j[3] ~= '1' then return end
  local ended, code = R.element_letter(x, parent, index)
  if ended or code ~= 0 then return end
  local function letter_of(array, at) return R.element_letter(x, array, at) end
  local may = may_start(letter_of, cjson.decode(j[2]), index)
  if may then return R.gate(x, parent, index) end
  if may == nil then return end
  R.skip_all(x, parent, {tonumber(index)})
  R.index_over(x, parent, index)
  R.array_check(x, parent)
end

-- an element has ended: tell those that wait for its index
function R.index_over(x, parent, index)
  for _, other in ipairs(call('SMEMBERS', x.P .. 'dx:' .. parent)) do index_ready(x, other, index) end
end

-- all of them at once, as far as they can be told yet; those that wait for them hear of what never starts
local function all_ready(x, id)
  local j = R.array_of(x, id)
  if not j.s or FINAL[j.s] or j.gt ~= '1' then return end
  local letter_of, waits, first = R.letter_reader(x), cjson.decode(j.ix), tonumber(j.n0) or 0
  local ready, never = {}, {}
  for index = first, first + tonumber(j.n) - 1 do
    local ended, code = letter_of(id, index)
    if not ended and code == 0 then
      local may = may_start(letter_of, waits, index)
      if may then ready[#ready + 1] = index elseif may == false then never[#never + 1] = index end
    end
  end
  R.gate_all(x, id, ready)
  R.skip_all(x, id, never)
  if #never == 0 then return end
  for _, other in ipairs(call('SMEMBERS', x.P .. 'dx:' .. id)) do all_ready(x, other) end
  R.array_check(x, id)
end

-- the array `other` has ended, and may be forgotten before its followers: -> was it enough, how many are left
local function drop_wait(x, id, other, letter)
  local left, enough = {}, true
  for _, wait in ipairs(cjson.decode(R.job(x, id, 'ix')[1] or '[]')) do
    if wait[1] ~= other then left[#left + 1] = wait
    elseif not R.satisfied(wait[2], letter) then enough = false end
  end
  call('HSET', x.P .. 'j:' .. id, 'ix', cjson.encode(left))
  return enough, #left
end

-- a new array waits index by index for these, {{array, on}, ...}, of which some may have begun
function R.wait_by_index(x, id, waits)
  for _, wait in ipairs(waits) do
    call('SADD', x.P .. 'dx:' .. wait[1], id)
    if R.array_begun(x, wait[1]) then all_ready(x, id) end
    if FINAL[R.job(x, wait[1], 's')[1]] then drop_wait(x, id, wait[1]) end
  end
end

-- the last elements of an array that another waits for will not start any more
local function wait_over(x, id, other, letter, j)
  if #cjson.decode(j.ix) > 1 then
    all_ready(x, id)
    j = R.array_of(x, id)
  end
  local enough, left = drop_wait(x, id, other, letter)
  local untold = R.unstarted(j) - call('LLEN', x.P .. 'ar:' .. id)
  if left > 0 or untold <= 0 or FINAL[j.s] then return end
  if enough then return open_gate(x, id, j) end
  R.end_untouched(x, id, 'K', untold)
  R.array_check(x, id)
end

-- an array that ended tells those that waited for its elements: what never started never will
function R.array_over(x, id)
  local letter = R.job(x, id, 'rc')[1] or 'C'
  for _, other in ipairs(call('SMEMBERS', x.P .. 'dx:' .. id)) do
    local j = R.array_of(x, other)
    if j.s and not FINAL[j.s] and j.gt == '1' then wait_over(x, other, id, letter, j) end
  end
end
