-- inbox: what submit-only users pushed, taken by any online worker, verified there, admitted here.
--
-- inn  name -> the mark of its jobs   in:<name>  list of envelopes, oldest first
-- ib:<name>  the session that looks at its head, for ten seconds
-- no:<id>  why this job was refused, or unique:<job> that has its key, for its sender, for a day
-- bad  what was refused, as JSON, newest first   badn  how many there were
-- Nothing is popped before it is judged: a worker that dies leaves the list as it was.

local MOST, MOST_BYTES = 4000, 67108864
-- What one call may drop within 5 ms: small entries share nodes of 8 KB, a large one costs a node.
local BITE, BITE_LARGE, BITE_BYTES, SMALL, SAMPLES = 20000, 500, 8388608, 1024, 12
local ENVELOPE_MAX = 98304
local HAND_MAX, HAND_BYTES = 50, 524288
local LOOK = 10000
local KEPT = 100

local function note(x, name, id, why, count)
  call('LPUSH', x.P .. 'bad', cjson.encode({at = int(x.now), from = name, id = id, why = string.sub(why, 1, 200)}))
  call('LTRIM', x.P .. 'bad', 0, KEPT - 1)
  call('INCRBY', x.P .. 'badn', count or 1)
  R.event(x, 'alarm', id ~= '' and id or 'inbox ' .. name, string.sub(why, 1, 100))
end

-- the refusals of one handful: those of one kind are one line, or junk would push all else out
local function note_all(x, name, refused)
  local first, count = {}, {}
  for _, pair in ipairs(refused) do
    local why = pair[2]
    if not count[why] then first[#first + 1] = pair end
    count[why] = (count[why] or 0) + 1
    if pair[1] ~= '' then call('SET', x.P .. 'no:' .. pair[1], why, 'EX', 86400) end
  end
  for _, pair in ipairs(first) do
    local more = count[pair[2]] > 1 and ' (' .. count[pair[2]] .. ' entries)' or ''
    note(x, name, pair[1], pair[2] .. more, count[pair[2]])
  end
end

-- how many entries at the end can be dropped at once; nobody can foresee which ones are looked at
local function bite(x, key, length, excess)
  local most, largest = math.min(excess, BITE), 1
  for i = 1, SAMPLES do
    local entry = call('LINDEX', key, length - 1 - R.random(x, most, key .. i))
    largest = math.max(largest, entry and #entry or 1)
  end
  if largest <= SMALL then return most end
  return math.min(excess, BITE_LARGE, math.max(1, math.floor(BITE_BYTES / largest)))
end

-- a flooded inbox loses its newest entries, a bite a call; what came before the flood stays.
-- The byte limit looks at the whole list: with at most MOST entries that is quick.
local function guard(x, name, key)
  local length = call('LLEN', key)
  local keep = length
  if length > MOST then
    keep = length - bite(x, key, length, length - MOST)
  elseif length > 1 and (call('MEMORY', 'USAGE', key, 'SAMPLES', 0) or 0) > MOST_BYTES then
    keep = length - bite(x, key, length, math.ceil(length / 2))
  end
  if keep == length then return length, false end
  call('LTRIM', key, 0, keep - 1)
  if call('SET', x.P .. 'ig:' .. name, '1', 'NX', 'PX', 60000) then
    note(x, name, '', 'its inbox was flooded: what came last was dropped')
  end
  return keep, true
end

-- the oldest envelopes of one inbox; one that is too large is refused here and never travels
local function hand(x, name, key)
  local found, bytes = {}, 0
  while #found < HAND_MAX and bytes < HAND_BYTES do
    local envelope = call('LINDEX', key, #found)
    if not envelope then break end
    if #envelope > ENVELOPE_MAX then
      if #found > 0 then break end
      call('LPOP', key)
      note(x, name, '', 'an entry of ' .. #envelope .. ' bytes: no job spec is as large')
      bytes = HAND_BYTES
    else
      found[#found + 1] = envelope
      bytes = bytes + #envelope
    end
  end
  return found
end

-- how many inboxes have something in them: -1 when there are none at all
function R.waiting_inboxes(x)
  local names = call('HKEYS', x.P .. 'inn')
  if #names == 0 then return -1 end
  local waiting = 0
  for _, name in ipairs(names) do
    if call('LLEN', x.P .. 'in:' .. name) > 0 then waiting = waiting + 1 end
  end
  return waiting
end

-- request: session -> {is there more to do, name, mark, envelopes...} of the first inbox with something in it
function R.drain(x, request)
  local names, more = call('HGETALL', x.P .. 'inn'), 0
  local first = #names > 0 and R.random(x, #names / 2, request.session) or 0  -- so that none waits behind a busy one
  for step = 0, #names / 2 - 1 do
    local i = (first + step) % (#names / 2) * 2 + 1
    local name = names[i]
    local key, looker = x.P .. 'in:' .. name, x.P .. 'ib:' .. name
    local length, trimmed = guard(x, name, key)
    if trimmed then more = 1 end
    if length > 0 and (call('GET', looker) or request.session) == request.session then
      local found = hand(x, name, key)
      if #found > 0 then
        call('SET', looker, request.session, 'PX', LOOK)
        return {1, name, names[i + 1], unpack(found)}
      end
      more = 1
    end
  end
  return {more}
end

-- what a sender may want of its own jobs beside their end: it lifts no hold but its own
local STEERS = {
  hold = function(x, id, _, op) return R.hold(x, id, op, true) end,
  release = function(x, id, _, op) return R.release(x, id, op, true) end,
  reprioritise = function(x, id, value, op) return R.reprioritise(x, id, value, op) end,
}

-- request: session, from, count (how many of its inbox were looked at), jobs, lanes, cancel [id],
-- steer [[verb, id, value]], fire (requests of R.fire), refused [[id, why]]; then the envelopes of the
-- jobs and the signed orders to cancel and to steer
-- -> {'lost'} | {'full', used, most} | {'lanes'} | {'done', how many were admitted}
function R.admit(x, request, envelopes)
  local key, looker = x.P .. 'in:' .. request.from, x.P .. 'ib:' .. request.from
  if call('GET', looker) ~= request.session then return {'lost'} end
  local words, taken = {}, 0
  x.mark = call('HGET', x.P .. 'inn', request.from)
  if #request.jobs > 0 then
    words = R.submit(x, {jobs = request.jobs, lanes = request.lanes, watch = 1}, '', envelopes)
    if words[1] == 'full' or words[1] == 'lanes' then return words end
  end
  for i, word in ipairs(words) do
    local why = string.match(word, '^bad:(.*)')
    if why then
      request.refused[#request.refused + 1] = {request.jobs[i].i, why}
    elseif string.find(word, '^unique:') then
      call('SET', x.P .. 'no:' .. request.jobs[i].i, word, 'EX', 86400)
    else
      taken = taken + 1
    end
  end
  for _, fire in ipairs(request.fire or {}) do
    local word = R.fire(x, fire)[1]
    if word == 'full' or word == 'lanes' then return {word} end
    if word == 'unknown' or word == 'changed' then
      local why = 'schedule ' .. fire.name .. ' has another rule, or is no more'
      request.refused[#request.refused + 1] = {fire.runs[1][2], why}
    end
  end
  for n, id in ipairs(request.cancel) do
    R.cancel(x, id, 'by ' .. request.from, nil, envelopes[#request.jobs + n])
  end
  for n, order in ipairs(request.steer or {}) do
    STEERS[order[1]](x, order[2], order[3], envelopes[#request.jobs + #request.cancel + n])
  end
  note_all(x, request.from, request.refused)
  call('LTRIM', key, request.count, -1)
  call('DEL', looker)
  return {'done', taken}
end

-- what was refused lately -> {how many in all, one JSON object each, newest first}
function R.refusals(x) return {call('GET', x.P .. 'badn') or '0', unpack(call('LRANGE', x.P .. 'bad', 0, -1))} end
