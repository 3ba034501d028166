-- views: what people look at. Nothing here writes.

local function record(x, id)
  local list = call('HGETALL', x.P .. 'j:' .. id)
  if #list > 0 then return {id, list, call('GET', x.P .. 's:' .. R.parts(id)) or ''} end
end

-- an element that ended lives on in its array's notes
local function ended_element(x, id)
  local parent, index = R.parts(id)
  if not index then return end
  local p = fields(call('HGETALL', x.P .. 'j:' .. parent))
  local letter, code = nil, nil
  if p.s then letter, code = R.element_letter(x, parent, index) end
  if not code then return end
  local note = cjson.decode(call('HGET', x.P .. 'ax:' .. parent, index) or '{}')
  local list = {'s', letter or 'P', 'l', p.l, 't', p.t, 'y', p.y or '0', 'p', p.p or '0'}
  local function put(name, value) if value then list[#list + 1] = name; list[#list + 1] = value end end
  put('a', note.a and int(note.a)); put('w', note.w); put('b', note.b and int(note.b))
  put('e', note.e and int(note.e)); put('x', type(note.x) == 'number' and int(note.x) or nil)
  put('r', note.r ~= '' and note.r or nil)
  if not letter then put('r', 'array') end
  return {id, list, call('GET', x.P .. 's:' .. parent) or ''}
end

-- -> {id, fields, envelope, result, attempts, outputs, notices} or {}
function R.record(x, id)
  local found = record(x, id) or ended_element(x, id)
  if not found then return {} end
  found[4] = call('GET', x.P .. 'r:' .. id) or ''
  found[5] = call('LRANGE', x.P .. 'at:' .. id, 0, -1)
  found[6] = call('HGETALL', x.P .. 'o:' .. id)
  found[7] = call('HGETALL', x.P .. 'nr:' .. id)
  return found
end

local PAGE, MOST_LOOKED_AT = 200, 4000

-- the indices in which jobs of these states stand, each once, but for the lanes
local function indices(x, states)
  local list = {}
  local function add(...) for _, key in ipairs({...}) do list[#list + 1] = x.P .. key end end
  if states.P then add('delay', 'pend') end
  if states.U then add('lost') end
  if states.N then add('open') end
  if states.S then add('done') end
  if states.F or states.C or states.K or states.E then add('fail') end
  return list
end

-- the last `want` of all the lanes of a queue ('': of any), as if they stood in one line
local function last_in_line(x, queue, want, take)
  local ends = {}
  local function look(key, place)
    local one = call('ZREVRANGE', key, place, place, 'WITHSCORES')
    return one[1] and {key = key, place = place, id = one[1], score = tonumber(one[2])}
  end
  for _, lane in ipairs(call('HKEYS', x.P .. 'lanes')) do
    if not filled(queue) or R.lane(x, lane).q == queue then ends[#ends + 1] = look(x.P .. 'q:' .. lane, 0) or nil end
  end
  local found = 0
  while #ends > 0 and found < want do
    local last = 1
    for i = 2, #ends do if ends[i].score > ends[last].score then last = i end end
    if take(ends[last].id) then found = found + 1 end
    local before = look(ends[last].key, ends[last].place + 1)
    if before then ends[last] = before else table.remove(ends, last) end
  end
end

-- what is wanted of an index, its end first
local function pick(x, index, want, take)
  local found, from = 0, 0
  while found < want and from < MOST_LOOKED_AT do
    local page = call('ZREVRANGE', index, from, from + PAGE - 1)
    for _, id in ipairs(page) do
      if found < want and take(id) then found = found + 1 end
    end
    if #page < PAGE then return end
    from = from + PAGE
  end
end

-- request: states (letters), limit, queue -> packed job rows (bulk.lua): up to `limit` of each
-- index, and of all lanes together; newest first where the index is by time
function R.list(x, request)
  local states, out, queues = {}, {}, {}
  for letter in string.gmatch(request.states, '.') do states[letter] = true end
  local function in_queue(lane)
    if queues[lane] == nil then queues[lane] = R.queue_of(x, lane) == request.queue end
    return queues[lane]
  end
  local function take(id)
    local j = R.job(x, id, 's', 'l')
    if not states[j[1]] or filled(request.queue) and not in_queue(j[2]) then return false end
    out[#out + 1] = R.job_row(x, id)
    return true
  end
  for _, index in ipairs(indices(x, states)) do pick(x, index, request.limit, take) end
  if states.R then last_in_line(x, request.queue, request.limit, take) end
  for _, session in ipairs(states.N and call('ZRANGE', x.P .. 'wlive', 0, -1) or {}) do
    for _, id in ipairs(call('HKEYS', x.P .. 'wj:' .. session)) do take(id) end
  end
  return R.packed(out)
end

-- -> {{kind, detail}...}: what stands between a job and its start
function R.blockers(x, id)
  local j = fields(call('HGETALL', x.P .. 'j:' .. id))
  local out = {}
  local function say(kind, detail) out[#out + 1] = {kind, tostring(detail)} end
  if not j.s then return out end
  if tonumber(j.d) and tonumber(j.d) > 0 then say('dependencies', j.d) end
  if j.gt == '1' and j.s == 'P' then say('dependencies', 'index by index') end
  if j.h then say(j.h == 'a' and 'approval' or 'held', '') end
  if j.s == 'P' and tonumber(j.du) and tonumber(j.du) > x.now then say('delay', int(tonumber(j.du) - x.now)) end
  local facts = R.lane(x, j.l)
  if call('SISMEMBER', x.P .. 'paused', facts.q) == 1 then say('paused', facts.q) end
  if j.s == 'R' then
    local wait, kind, name = R.blocked(x, facts)
    if kind == 'limit' then
      say('limit', name .. ' ' .. call('SCARD', x.P .. 'lim:' .. name) .. '/' .. int(facts.l[name]))
    elseif kind then say('rate', name .. ' ' .. int(wait)) end
    local ahead = call('ZRANK', x.P .. 'q:' .. j.l, id)
    if ahead and ahead > 0 then say('ahead', ahead) end
  end
  return out
end

-- -> {{session, expires, fields, jobs, when it was heard of last if it has gone}...}
function R.workers(x)
  local out = {}
  for _, session in ipairs(call('HVALS', x.P .. 'names')) do
    out[#out + 1] = {session, call('ZSCORE', x.P .. 'wlive', session) or '0', call('HGETALL', x.P .. 'w:' .. session),
                     call('HGETALL', x.P .. 'wj:' .. session), call('ZSCORE', x.P .. 'woff', session) or '0'}
  end
  return out
end

-- -> {now, counters, memory, lanes {lane, queue, runnable, living}, paused, weights, workers online}
function R.stats(x)
  local lanes = {}
  for _, lane in ipairs(call('HKEYS', x.P .. 'lanes')) do
    lanes[#lanes + 1] = {lane, R.lane(x, lane).q, call('ZCARD', x.P .. 'q:' .. lane),
                         tonumber(call('HGET', x.P .. 'lref', lane)) or 0}
  end
  local per_day = call('HGETALL', x.P .. 'hs:' .. int(math.floor(x.now / 86400000)))
  return {int(x.now), call('HGETALL', x.P .. 'n'), call('HGETALL', x.P .. 'cfg'), lanes,
          call('SMEMBERS', x.P .. 'paused'), call('HGETALL', x.P .. 'qw'),
          call('ZCOUNT', x.P .. 'wlive', '(' .. int(x.now), '+inf'), per_day}
end
