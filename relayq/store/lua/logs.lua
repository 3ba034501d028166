-- logs: output as it comes, in a stream whose ids are positions.
--
-- Entry id = attempt * 2^44 + bytes before it (both streams of output counted), so a
-- repeated append is a no-op, a superseded attempt is fenced out, and readers resume by
-- id; its second half, which orders nothing, is when the piece came. Field o or e: the
-- stream; n: where in it a sealed piece belongs, and how much output it is; x: how a watched
-- job ended, always the last entry.
-- The first 64 KiB (half, when less is kept) stay, then a tail ring up to j.k bytes (default 1 MiB).
-- al:<array>  indices of elements that have a log or a result

local ATTEMPT = 17592186044416
local HEAD = 65536
local KEEP = 1048576

local function position(attempt, bytes) return int(attempt * ATTEMPT + bytes) end

-- how much output there is in an entry, and what it counts for: a seal is no output, but it takes room
local function size_of(entry)
  local size = entry[4] and tonumber(string.match(entry[4], ' (%d+)$')) or #entry[2]
  return size, math.max(size, math.floor(#entry[2] / 2))
end

local function trim(x, id, kept, keep)
  local log, head = x.P .. 'log:' .. id, call('HGET', x.P .. 'j:' .. id, 'lh')
  while kept > keep do
    local oldest = call('XRANGE', log, head and '(' .. head or '-', '+', 'COUNT', 1)[1]
    if not oldest then break end
    call('XDEL', log, oldest[1])
    if oldest[2][1] ~= 'x' then
      local size, weight = size_of(oldest[2])
      kept = kept - weight
      call('HINCRBY', x.P .. 'j:' .. id, 'ld', size)
    end
  end
  return kept
end

local function name_of(session) return string.match(session or '', '^(.*)#') end

-- does this session run that attempt? Also one that was given up as lost, as long as nobody has started
-- another: its success may still count (report.lua), and what it wrote belongs to that
local function may_append(j, session, attempt)
  if tonumber(j[2]) ~= attempt then return false end
  if j[1] == 'N' or j[1] == 'U' then return j[3] == session end
  local lost = j[8] or (j[1] == 'F' and (j[9] == 'lost' or j[9] == 'crash_limit'))
  return lost and name_of(j[3]) == name_of(session)
end

-- what an element leaves in keys of its own is forgotten with its array
function R.left_by(x, id)
  local parent, index = R.parts(id)
  if index then call('SADD', x.P .. 'al:' .. parent, index) end
end

-- chunk: {id, attempt, stream (1|2), offset, jump, size} -> the hub's own offsets, or nil when fenced out.
-- `size` is how much output a sealed piece holds; such a piece is taken whole or not at all.
-- Output is taken where the stream ends in the hub; only a jump, which says that the worker
-- left out the middle of too much output, may leave a gap (counted in ld).
function R.append_log(x, session, chunk, data)
  local id, attempt = chunk[1], chunk[2]
  local key = x.P .. 'j:' .. id
  local j = R.job(x, id, 's', 'a', 'w', 'lo', 'le', 'lb', 'k', 'ls', 'r')
  if not may_append(j, session, attempt) then return end
  if FINAL[j[1]] then R.log_reopen(x, id) end
  local have = {tonumber(j[4]) or 0, tonumber(j[5]) or 0}
  local stream, skip = chunk[3], have[chunk[3]] - chunk[4]
  local is_sealed, size = chunk[6] ~= nil, chunk[6] or #data
  if skip < 0 then
    if chunk[5] ~= 1 or size == 0 then return have end
    call('HINCRBY', key, 'ld', int(-skip))
    have[stream] = chunk[4]
    skip = 0
  end
  if skip < size and not (is_sealed and skip > 0) then
    local piece = {stream == 1 and 'o' or 'e', skip > 0 and string.sub(data, skip + 1) or data}
    if is_sealed then piece[3], piece[4] = 'n', int(chunk[4]) .. ' ' .. int(size) end
    local entry = position(attempt, have[1] + have[2]) .. '-' .. int(x.now)
    call('XADD', x.P .. 'log:' .. id, entry, unpack(piece))
    local taken, weight = size_of(piece)
    have[stream] = have[stream] + taken
    local kept = (tonumber(j[6]) or 0) + weight
    local most = tonumber(j[7]) or KEEP
    if kept <= math.min(HEAD, most / 2) then call('HSET', key, 'lh', entry) end
    if kept > most then kept = trim(x, id, kept, most) end
    call('HSET', key, 'lo', int(have[1]), 'le', int(have[2]), 'lb', int(kept))
    R.left_by(x, id)
  end
  return have
end

-- whoever follows the log of a watched job learns from the same stream how it ended
function R.log_end(x, id, state, reason, exit)
  local j = R.job(x, id, 'wt', 'a', 'lo', 'le')
  if not j[1] then return end
  local at = position(tonumber(j[2]) or 0, (tonumber(j[3]) or 0) + (tonumber(j[4]) or 0))
  local result = call('GET', x.P .. 'r:' .. id) or ''
  call('XADD', x.P .. 'log:' .. id, at .. '-*', 'x', state .. ' ' .. (exit or '-') .. ' ' .. (reason or ''), 'r', result)
  R.left_by(x, id)
end

-- the job runs again: whoever follows it from now on must not take the old end for the new one
function R.log_reopen(x, id)
  local log = x.P .. 'log:' .. id
  local last = call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if last and last[2][1] == 'x' then call('XDEL', log, last[1]) end
end
