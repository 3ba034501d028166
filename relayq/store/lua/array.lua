-- array: one record with N elements; an element is a job of its own only while it is alive.
--
-- as:<id>  4 bits an element: 0 never started, 1 alive, 2 S, 3 F, 4 C, 5 K
-- am:<id>  indices alive     ar:<id>  indices that may start (gated arrays)
-- ax:<id>  index -> JSON of how it ended (all failed ones; every one of small arrays)
-- dx:<id>  arrays whose elements wait for the element with the same index
--
-- A gated array (sequential, index to index, a re-run of its failed elements)
-- hands out what stands in ar; any other counts nx up. What became of elements
-- that never started is said once, in rc, not a million times.

local CODES = {S = 2, F = 3, C = 4, K = 5}
local LETTERS = {[2] = 'S', [3] = 'F', [4] = 'C', [5] = 'K'}
local SMALL = 10000

local function unstarted(j)
  local rest = tonumber(j.n)
  for _, name in ipairs({'nS', 'nF', 'nC', 'nK', 'nR'}) do rest = rest - (tonumber(j[name]) or 0) end
  return rest
end

local function array_of(x, id) return fields(call('HGETALL', x.P .. 'j:' .. id)) end

function R.element_letter(x, parent, index)
  local j = R.job(x, parent, 'n', 'n0', 'rc', 's')
  if not j[1] then return end
  local at = tonumber(index) - (tonumber(j[2]) or 0)
  if at < 0 or at >= tonumber(j[1]) then return end
  local code = call('BITFIELD_RO', x.P .. 'as:' .. parent, 'GET', 'u4', '#' .. int(at))[1]
  return LETTERS[code] or (code == 0 and j[3]) or nil, code
end

local function mark(x, parent, first, index, code)
  call('BITFIELD', x.P .. 'as:' .. parent, 'SET', 'u4', '#' .. int(tonumber(index) - first), code)
end

-- the next index of the array at the head of a lane, made a job in state R
function R.next_element(x, parent, lane)
  local key = x.P .. 'j:' .. parent
  local j = array_of(x, parent)
  local first, index, empty = tonumber(j.n0) or 0, nil, nil
  if j.gt then
    index = call('LPOP', x.P .. 'ar:' .. parent)
    empty = call('LLEN', x.P .. 'ar:' .. parent) == 0
  else
    local nx = call('HINCRBY', key, 'nx', 1)
    index = int(first + nx - 1)
    empty = nx >= tonumber(j.n)
  end
  local id = parent .. ':' .. index
  local element = {'s', 'R', 'l', lane, 'p', j.p or '0', 't', j.t, 'y', j.y}
  for _, name in ipairs({'m', 'f', 'g', 'k'}) do
    if j[name] then element[#element + 1] = name; element[#element + 1] = j[name] end
  end
  local before = call('HGET', x.P .. 'ax:' .. parent, index)
  if before then
    local used = cjson.decode(before).a
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
  if empty then
    call('ZREM', x.P .. 'q:' .. lane, parent)
    call('ZADD', x.P .. 'open', int(x.now), parent)
    R.move(x, parent, 'R', 'N')
  end
  return id
end

-- a gated array may start one more index
function R.gate(x, parent, index)
  call('RPUSH', x.P .. 'ar:' .. parent, index)
  local j = R.job(x, parent, 's', 'h', 'd')
  if j[1] == 'N' then
    call('ZREM', x.P .. 'open', parent)
    R.make_ready(x, parent, 'N', true)
  elseif j[1] == 'P' then
    R.settle(x, parent, 'P')
  else
    R.nudge(x, R.job(x, parent, 'l')[1])
  end
end

-- everything that has not started ends as `letter`, without being touched one by one
function R.end_rest(x, parent, letter)
  local j = array_of(x, parent)
  local rest = unstarted(j)
  if rest > 0 then
    call('HINCRBY', x.P .. 'j:' .. parent, 'n' .. letter, int(rest))
    call('HSET', x.P .. 'j:' .. parent, 'rc', letter, 'nx', j.n)
  end
  call('DEL', x.P .. 'ar:' .. parent)
  if j.s == 'R' or j.s == 'P' then
    R.leave(x, parent, j.s)
    call('ZADD', x.P .. 'open', int(x.now), parent)
    R.move(x, parent, j.s, 'N')
  end
end

-- one index of an array that waits index to index: start it, or skip it
function R.index_ready(x, parent, index, letter)
  local j = R.job(x, parent, 's', 'n0', 'on')
  if not j[1] or FINAL[j[1]] then return end
  local on = j[3] or 'ok'
  if on == 'any' or (on == 'ok') == (letter == 'S') then
    R.gate(x, parent, index)
    return
  end
  mark(x, parent, tonumber(j[2]) or 0, index, CODES.K)
  call('HINCRBY', x.P .. 'j:' .. parent, 'nK', 1)
  for _, other in ipairs(call('SMEMBERS', x.P .. 'dx:' .. parent)) do R.index_ready(x, other, index, 'K') end
  R.array_check(x, parent)
end

function R.element_ended(x, id, letter, reason, exit)
  local parent, index = R.parts(id)
  local key = x.P .. 'j:' .. parent
  local j, e = array_of(x, parent), R.job(x, id, 'a', 'w', 'b', 'e')
  if not j.n then return end
  mark(x, parent, tonumber(j.n0) or 0, index, CODES[letter])
  call('SREM', x.P .. 'am:' .. parent, index)
  call('HINCRBY', key, 'nR', -1)
  call('HINCRBY', key, 'n' .. letter, 1)
  if letter == 'F' or tonumber(j.n) <= SMALL then
    call('HSET', x.P .. 'ax:' .. parent, index, cjson.encode({
      s = letter, a = tonumber(e[1]) or 0, w = e[2] or '', b = tonumber(e[3]) or 0,
      e = tonumber(e[4]) or 0, x = tonumber(exit), r = reason or ''}))
  end
  call('DEL', x.P .. 'j:' .. id, x.P .. 'at:' .. id)
  x.counts[letter] = (x.counts[letter] or 0) - 1
  if j.sq then
    if letter == 'S' then
      local following = int(tonumber(index) + 1)
      if tonumber(following) < (tonumber(j.n0) or 0) + tonumber(j.n) and unstarted(array_of(x, parent)) > 0 then
        R.gate(x, parent, following)
      end
    else
      R.end_rest(x, parent, 'K')
    end
  end
  for _, other in ipairs(call('SMEMBERS', x.P .. 'dx:' .. parent)) do R.index_ready(x, other, index, letter) end
  R.array_check(x, parent)
end

-- the array ends when its last element has
function R.array_check(x, parent)
  local j = array_of(x, parent)
  if FINAL[j.s] or unstarted(j) > 0 or (tonumber(j.nR) or 0) > 0 then return end
  local to, reason = 'S', nil
  if (tonumber(j.nF) or 0) > 0 then to, reason = 'F', 'exit'
  elseif j.cx or (tonumber(j.nC) or 0) > 0 then to = 'C'
  elseif (tonumber(j.nK) or 0) > 0 then to, reason = 'K', 'dependency' end
  R.finish(x, parent, j.s, to, reason, to == 'F' and '1' or nil)
end
