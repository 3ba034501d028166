-- array: one record with N elements; an element is a job of its own only while it is alive.
--
-- as:<id>  4 bits an element: 0 never started, 1 alive, 2 S, 3 F, 4 C, 5 K, 6 stands in ar
-- am:<id>  indices alive (cut.lua)     ar:<id>  indices that may start (gated arrays)
-- ax:<id>  index -> JSON of how it ended (all that did not succeed; every one of small arrays), or
--          that it was given back (s is P)
--
-- A gated array (sequential, index to index; gt 1) hands out only what stands in ar; any other,
-- and one whose gate was opened (gt 2), hands that out first and then goes on from nx to the next
-- index with the code 0. What became of elements with the code 0 when they could not start any
-- more is said once, in rc, not a million times; likewise in ra, of those that stood in ar.

local CODES = {S = 2, F = 3, C = 4, K = 5}
local MAY_START = 6
local CHUNK = 200
local SCAN = 65536
local LETTERS = {[2] = 'S', [3] = 'F', [4] = 'C', [5] = 'K'}
local SMALL = 10000

local function unstarted(j)
  local rest = tonumber(j.n)
  for _, name in ipairs({'nS', 'nF', 'nC', 'nK', 'nR'}) do rest = rest - (tonumber(j[name]) or 0) end
  return rest
end

local function array_of(x, id) return fields(call('HGETALL', x.P .. 'j:' .. id)) end

local function letter_of(code, j)
  return LETTERS[code] or (code == 0 and j[3]) or (code == MAY_START and j[4]) or nil, code
end

-- how an element ended, or nil; its code, nil when there is no such element
function R.element_letter(x, parent, index)
  local j = R.job(x, parent, 'n', 'n0', 'rc', 'ra')
  if not j[1] then return end
  local at = tonumber(index) - (tonumber(j[2]) or 0)
  if at < 0 or at >= tonumber(j[1]) then return end
  return letter_of(call('BITFIELD_RO', x.P .. 'as:' .. parent, 'GET', 'u4', '#' .. int(at))[1], j)
end

-- the same for whoever asks of very many: of arrays as they are now, each read once
function R.letter_reader(x)
  local known = {}
  return function(parent, index)
    local a = known[parent] or {R.job(x, parent, 'n', 'n0', 'rc', 'ra'), call('GET', x.P .. 'as:' .. parent) or ''}
    known[parent] = a
    local at = tonumber(index) - (tonumber(a[1][2]) or 0)
    if at < 0 or at >= (tonumber(a[1][1]) or 0) then return end
    local byte = string.byte(a[2], math.floor(at / 2) + 1) or 0
    return letter_of(at % 2 == 0 and math.floor(byte / 16) or byte % 16, a[1])
  end
end

R.array_of, R.unstarted = array_of, unstarted

-- has anything happened to an element of it?
function R.array_begun(x, id)
  local j = R.job(x, id, 's', 'rc', 'ma', 'nK', 'nC')
  return FINAL[j[1]] or j[2] or j[3] or j[4] or j[5]
end

-- how an element ended that has no record of its own any more
function R.ended_letter(x, id)
  local parent, index = R.parts(id)
  if index then return (R.element_letter(x, parent, index)) end
end

function R.is_of_large_array(x, id)
  local parent, index = R.parts(id)
  return index and (tonumber(R.job(x, parent, 'n')[1]) or 0) > SMALL
end

function R.has_unstarted(x, id)
  local j = array_of(x, id)
  return j.n and unstarted(j) > 0
end

-- nothing of it will start any more, while some of it may still be alive
local function all_begun(x, id, state)
  if state == 'R' or state == 'P' then
    R.leave(x, id, state)
    call('ZADD', x.P .. 'open', int(x.now), id)
    R.move(x, id, state, 'N')
  end
end

local function mark(x, parent, first, index, code)
  call('BITFIELD', x.P .. 'as:' .. parent, 'SET', 'u4', '#' .. int(tonumber(index) - first), code)
end

-- the same for many, in few commands
local function mark_all(x, parent, first, indices, code)
  for from = 1, #indices, CHUNK do
    local sets = {}
    for i = from, math.min(from + CHUNK - 1, #indices) do
      for _, word in ipairs({'SET', 'u4', '#' .. int(indices[i] - first), code}) do sets[#sets + 1] = word end
    end
    call('BITFIELD', x.P .. 'as:' .. parent, unpack(sets))
  end
end

-- a byte of as with a half that is 0
local UNTOUCHED = '[%z\1-\16 0@P`p\128\144\160\176\192\208\224\240]'

-- the first element from the nx-th on to which nothing has happened
local function untouched_from(x, id, nx)
  local width = 32
  while true do
    local at = math.floor(nx / 2)
    local bytes = call('GETRANGE', x.P .. 'as:' .. id, int(at), int(at + width - 1))
    local from = 1
    if nx % 2 == 1 and bytes ~= '' then
      if string.byte(bytes) % 16 == 0 then return nx end
      from = 2
    end
    local found = string.find(bytes, UNTOUCHED, from)
    if found then
      local even = (at + found - 1) * 2
      return string.byte(bytes, found) < 16 and even or even + 1
    end
    if bytes ~= '' then nx = (at + #bytes) * 2 end
    if #bytes < width then return nx end
    width = math.min(width * 8, SCAN)
  end
end

-- the next index of the array at the head of a lane, made a job in state R
function R.next_element(x, parent, lane)
  local key = x.P .. 'j:' .. parent
  local j = array_of(x, parent)
  local first = tonumber(j.n0) or 0
  local index = call('LPOP', x.P .. 'ar:' .. parent)
  if not index then
    local nx = untouched_from(x, parent, tonumber(j.nx) or 0)  -- some are cancelled before their turn
    index = int(first + nx)
    call('HSET', key, 'nx', int(nx + 1))
  end
  local empty = unstarted(j) <= 1 or (j.gt == '1' and call('LLEN', x.P .. 'ar:' .. parent) == 0)
  local id = parent .. ':' .. index
  local element = {'s', 'R', 'l', lane, 'p', j.p or '0', 't', j.t, 'y', j.y}
  for _, name in ipairs({'m', 'f', 'g', 'k'}) do
    if j[name] then element[#element + 1] = name; element[#element + 1] = j[name] end
  end
  local before = call('HGET', x.P .. 'ax:' .. parent, index)
  local used = math.max(before and cjson.decode(before).a or 0, tonumber(j.ab) or 0)
  if used > 0 then
    element[#element + 1] = 'a'; element[#element + 1] = int(used)
    element[#element + 1] = 'v'; element[#element + 1] = int(used)
  end
  call('HSET', x.P .. 'j:' .. id, unpack(element))
  x.counts.R = (x.counts.R or 0) + 1
  R.lane_holds(x, lane, 1)
  call('SADD', x.P .. 'am:' .. parent, index)
  call('HINCRBY', key, 'nR', 1)
  call('HSETNX', key, 'b', int(x.now))
  mark(x, parent, first, index, 1)
  if empty then all_begun(x, parent, 'R') end
  return id
end

-- an element that was started and did not run stands in line again, before all that were never started
function R.unstart(x, id, session, state)
  local parent, index = R.parts(id)
  local j, e = array_of(x, parent), R.job(x, id, 'l', 'a')
  local facts = R.lane(x, e[1])
  R.leave(x, id, state)
  R.free_limits(x, facts, id)
  R.drop_orders(x, session, id)
  R.lane_holds(x, e[1], -1)
  x.counts[state] = (x.counts[state] or 0) - 1
  call('HSET', x.P .. 'ax:' .. parent, index, cjson.encode({s = 'P', a = tonumber(e[2])}))
  call('DEL', x.P .. 'j:' .. id, x.P .. 'at:' .. id)
  call('SREM', x.P .. 'am:' .. parent, index)
  call('HINCRBY', x.P .. 'j:' .. parent, 'nR', -1)
  mark(x, parent, tonumber(j.n0) or 0, index, MAY_START)
  call('LPUSH', x.P .. 'ar:' .. parent, index)
  R.event(x, 'handback', id, session)
  R.settle(x, parent, j.s, true)
  R.after_limits(x, facts)
end

-- the highest attempt of any element is the array's: an element that runs again goes on from there
function R.note_element(x, id, attempt)
  local parent, index = R.parts(id)
  if index and attempt > (tonumber(R.job(x, parent, 'ma')[1]) or 0) then
    call('HSET', x.P .. 'j:' .. parent, 'ma', attempt)
  end
end

-- a gated array may start one more index
local function admit(x, parent, first, index)
  mark(x, parent, first, index, MAY_START)
  call('RPUSH', x.P .. 'ar:' .. parent, index)
end

-- a new sequential array may start its first
function R.admit_first(x, parent, first)
  call('HSET', x.P .. 'j:' .. parent, 'gt', '1')
  admit(x, parent, first, int(first))
end

-- and what is to happen with it then
local function gated(x, parent)
  local j = R.job(x, parent, 's', 'l')
  if j[1] == 'N' or j[1] == 'P' then R.settle(x, parent, j[1], true) else R.nudge(x, j[2]) end
end

function R.gate(x, parent, index)
  admit(x, parent, tonumber(R.job(x, parent, 'n0')[1]) or 0, index)
  gated(x, parent)
end

function R.gate_all(x, parent, indices)
  if #indices == 0 then return end
  mark_all(x, parent, tonumber(R.job(x, parent, 'n0')[1]) or 0, indices, MAY_START)
  for _, index in ipairs(indices) do call('RPUSH', x.P .. 'ar:' .. parent, int(index)) end
  gated(x, parent)
end

-- these never start, since what they wait for did not do what is needed
function R.skip_all(x, parent, indices)
  if #indices == 0 then return end
  mark_all(x, parent, tonumber(R.job(x, parent, 'n0')[1]) or 0, indices, CODES.K)
  call('HINCRBY', x.P .. 'j:' .. parent, 'nK', #indices)
end

-- what has the code 0 ends as `letter`, without being touched one by one
function R.end_untouched(x, parent, letter, count)
  if count <= 0 then return end
  call('HINCRBY', x.P .. 'j:' .. parent, 'n' .. letter, int(count))
  call('HSET', x.P .. 'j:' .. parent, 'rc', letter)
end

-- everything that has not started ends as `letter`
function R.end_rest(x, parent, letter)
  local j = array_of(x, parent)
  local ready = call('LLEN', x.P .. 'ar:' .. parent)
  if ready > 0 then
    call('HINCRBY', x.P .. 'j:' .. parent, 'n' .. letter, ready)
    call('HSET', x.P .. 'j:' .. parent, 'ra', letter)
    call('UNLINK', x.P .. 'ar:' .. parent)
  end
  R.end_untouched(x, parent, letter, unstarted(j) - ready)
  all_begun(x, parent, j.s)
end

-- an element that has not started is not to: what waits for it, or stands behind it, hears of it
-- -> cancelled, or nil when there is no such element or it is not waiting
function R.cancel_element(x, parent, index)
  local ended, code = R.element_letter(x, parent, index)
  if ended or not code or code == 1 then return end
  local j = array_of(x, parent)
  if code == MAY_START then call('LREM', x.P .. 'ar:' .. parent, 1, index) end
  mark(x, parent, tonumber(j.n0) or 0, index, CODES.C)
  call('HINCRBY', x.P .. 'j:' .. parent, 'nC', 1)
  R.event(x, 'cancel', parent .. ':' .. index, 'cancelled')
  R.index_over(x, parent, index)
  if j.sq and code == MAY_START then R.end_rest(x, parent, 'K')
  elseif unstarted(j) <= 1 then all_begun(x, parent, j.s)
  elseif j.gt and j.s == 'R' then R.settle(x, parent, 'R', true) end
  R.array_check(x, parent)
  return 'cancelled'
end

-- what an element leaves in the hub is the array's to keep, and to forget -> has it a result here?
local function bequeath(x, parent, id, log_bytes)
  local result = call('STRLEN', x.P .. 'r:' .. id)
  if result > 0 then R.left_by(x, id) end
  local bytes = result + (tonumber(log_bytes) or 0)
  if bytes > 0 then call('HINCRBY', x.P .. 'j:' .. parent, 'lb', bytes) end
  return result > 0
end

function R.element_ended(x, id, letter, reason, exit)
  local parent, index = R.parts(id)
  local key = x.P .. 'j:' .. parent
  local j, e = array_of(x, parent), R.job(x, id, 'a', 'w', 'b', 'e', 'lb')
  if not j.n then return end
  local has_result = bequeath(x, parent, id, e[5])
  mark(x, parent, tonumber(j.n0) or 0, index, CODES[letter])
  call('SREM', x.P .. 'am:' .. parent, index)
  if j.cx then call('SREM', x.P .. 'ac:' .. parent, index) end
  call('HINCRBY', key, 'nR', -1)
  call('HINCRBY', key, 'n' .. letter, 1)
  if letter ~= 'S' or tonumber(j.n) <= SMALL or has_result then  -- which is of one attempt and no other
    call('HSET', x.P .. 'ax:' .. parent, index, cjson.encode({
      s = letter, a = tonumber(e[1]) or 0, w = e[2] or '', b = tonumber(e[3]) or 0,
      e = tonumber(e[4]) or 0, x = tonumber(exit), r = reason or ''}))
  end
  call('DEL', x.P .. 'j:' .. id, x.P .. 'at:' .. id)
  x.counts[letter] = (x.counts[letter] or 0) - 1
  if j.sq then
    if letter == 'S' then
      local following = int(tonumber(index) + 1)
      if R.element_letter(x, parent, following) then
        R.end_rest(x, parent, 'K')
      elseif tonumber(following) < (tonumber(j.n0) or 0) + tonumber(j.n) then
        R.gate(x, parent, following)
      end
    else
      R.end_rest(x, parent, 'K')
    end
  end
  R.index_over(x, parent, index)
  R.array_check(x, parent)
end

-- the array ends when its last element has
function R.array_check(x, parent)
  local j = array_of(x, parent)
  if FINAL[j.s] or unstarted(j) > 0 or (tonumber(j.nR) or 0) > 0 then return end
  local to, reason = 'S', nil
  if (tonumber(j.nF) or 0) > 0 then to, reason = 'F', 'exit'
  elseif (tonumber(j.nC) or 0) > 0 then to, reason = 'C', j.cy
  elseif (tonumber(j.nK) or 0) > 0 then to, reason = 'K', 'dependency' end
  R.finish(x, parent, j.s, to, reason, to == 'F' and '1' or nil)
end

-- what did not succeed counts as untouched from now on; a byte of 0x22 is two successes
local function forget_failures(x, id)
  local key, kept = x.P .. 'as:' .. id, {}
  for byte = 0, 255 do
    local upper, lower = math.floor(byte / 16) == CODES.S and 32 or 0, byte % 16 == CODES.S and CODES.S or 0
    kept[string.char(byte)] = string.char(upper + lower)
  end
  for from = 0, call('STRLEN', key) - 1, SCAN do
    local bytes = call('GETRANGE', key, from, from + SCAN - 1)
    call('SETRANGE', key, from, (string.gsub(bytes, '[^\34]', kept)))
  end
end

-- the elements of a final array that did not succeed may start once more. A sequential one goes
-- on where it stopped: what came before that succeeded. One that succeeded runs again as a whole.
function R.reopen_array(x, id, j)
  local key, first, size = x.P .. 'j:' .. id, tonumber(j.n0) or 0, tonumber(j.n)
  local succeeded = (tonumber(j.nS) or 0) % size
  if succeeded == 0 then call('DEL', x.P .. 'as:' .. id) else forget_failures(x, id) end
  call('HDEL', key, 'nF', 'nC', 'nK', 'rc', 'ra')
  call('HSET', key, 'nS', int(succeeded), 'nx', '0')
  if size > SMALL and j.ma then call('HSET', key, 'ab', j.ma) end
  if j.sq then admit(x, id, first, int(first + untouched_from(x, id, 0)))
  elseif j.gt then call('HSET', key, 'gt', '2') end
end
