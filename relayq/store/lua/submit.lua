-- submit: up to 500 jobs, all checks before the first write; -> RUNNABLE | PENDING | SKIPPED.
--
-- ARGV 1 {"jobs": [routing...], "lanes": {id: json}, "batch": digest, "watch": 1}
--      2 batch record or ''       3.. envelopes, in the order of the jobs
-- -> a word per job: new | dup | unique:<id> | replaced:<id> | bad:<why>; or {'full', used, most}
-- Routings are JobSpec.routing (relayq/model/job.py). Idempotent by job id.

local FULL = 0.85
local MAX_INDEX_LATE = 10000

local function full(x)
  local cfg = call('HMGET', x.P .. 'cfg', 'used', 'maxmemory')
  local used, most = tonumber(cfg[1]) or 0, tonumber(cfg[2]) or 0
  if most > 0 and used > most * FULL then return {'full', int(used), int(most)} end
end

local function bad_dependency(x, after, batch)
  local id, mode = after[1], after[3]
  if batch[id] then return mode == 'index' and not batch[id].n and 'job ' .. id .. " is no array (field 'after')" end
  local j = R.job(x, id, 's', 'n')
  if not j[1] then return 'there is no job ' .. id .. " to wait for (field 'after')" end
  if mode == 'index' and not j[2] then return 'job ' .. id .. " is no array (field 'after')" end
  if mode == 'index' and j[1] ~= 'P' and j[1] ~= 'R' and tonumber(j[2]) > MAX_INDEX_LATE then
    return 'array ' .. id .. ' has begun and is larger than 10000 elements: too late to wait index by index'
  end
end

-- the word for a job that cannot be taken, or nil
local function objection(x, job, lanes, batch, keys)
  if call('EXISTS', x.P .. 'j:' .. job.i) == 1 or batch[job.i] then return 'dup' end
  if not lanes[job.l] and call('HEXISTS', x.P .. 'lanes', job.l) == 0 then return 'bad:its lane is unknown' end
  for _, after in ipairs(job.af or {}) do
    local why = bad_dependency(x, after, batch)
    if why then return 'bad:' .. why end
  end
  if job.u then
    local holder = keys[job.u[1]] or R.unique_holder(x, job.u[1])
    if holder then
      local state = R.job(x, holder, 's')[1]
      if job.u[2] == 'replace' and (state == 'P' or state == 'R') and not keys[job.u[1]] then return nil, holder end
      return 'unique:' .. holder
    end
  end
end

local COPIED = {p = 'p', m = 'm', f = 'f', g = 'g', k = 'k', n = 'n', n0 = 'n0', sq = 'sq'}

local function write(x, job, envelope, watch)
  local due = math.max(job.at or 0, job.d and x.now + job.d or 0)
  local record = {'l', job.l, 't', int(x.now)}
  local function put(name, value) record[#record + 1] = name; record[#record + 1] = value end
  for name, field in pairs(COPIED) do
    local value = job[name]
    if value then put(field, type(value) == 'number' and int(value) or value) end
  end
  if due > x.now then put('du', int(due)) end
  if watch then put('wt', '1') end
  call('HSET', x.P .. 'j:' .. job.i, unpack(record))
  call('SET', x.P .. 's:' .. job.i, envelope)
  if job.D then
    call('HSET', x.P .. 'j:' .. job.i, 'D', int(x.now + job.D))
    call('ZADD', x.P .. 'dl', int(x.now + job.D), job.i)
  end
  R.lane_holds(x, job.l, 1)
  x.used_lanes[job.l] = true
  R.tally(x, 'in')
  R.event(x, 'submit', job.i)
end

local function index_after(x, id, other)
  call('SADD', x.P .. 'dx:' .. other, id)
  local o = R.job(x, other, 's', 'n', 'n0')
  if o[1] == 'P' or o[1] == 'R' and call('EXISTS', x.P .. 'as:' .. other) == 0 then return end
  local first = tonumber(o[3]) or 0
  for index = first, first + tonumber(o[2]) - 1 do
    local letter = R.element_letter(x, other, int(index))
    if letter then R.index_ready(x, id, int(index), letter) end
  end
end

-- the dependencies of a job just written: how many are open; true when one failed it already
local function depend(x, job)
  local open, failed, gated = 0, false, nil
  for _, after in ipairs(job.af or {}) do
    local other, on, mode = after[1], after[2] or 'ok', after[3]
    local state = R.job(x, other, 's')[1]
    if mode == 'index' then
      gated = gated or {}
      gated[#gated + 1] = {other, on}
    elseif not FINAL[state] then
      call('RPUSH', x.P .. 'dep:' .. other, job.i .. ' ' .. on)
      open = open + 1
    elseif not R.satisfied(on, state) then
      failed = true
    end
  end
  if open > 0 then call('HSET', x.P .. 'j:' .. job.i, 'd', open) end
  return failed, gated
end

local function place(x, job, replaced)
  if replaced then R.cancel(x, replaced, 'replaced') end
  if job.u then R.unique_take(x, job.i, job.u) end
  local failed, gated = depend(x, job)
  if gated then call('HSET', x.P .. 'j:' .. job.i, 'gt', '1', 'on', gated[1][2]) end
  if job.sq then
    call('HSET', x.P .. 'j:' .. job.i, 'gt', '1')
    if not gated then call('RPUSH', x.P .. 'ar:' .. job.i, int(job.n0 or 0)) end
  end
  if failed then call('HSET', x.P .. 'j:' .. job.i, 'd', 1) end
  R.settle(x, job.i, nil)
  if failed then return R.skip(x, job.i) end
  for _, pair in ipairs(gated or {}) do index_after(x, job.i, pair[1]) end
end

local function known_lanes(x, lanes)
  local new = {}
  for lane, text in pairs(lanes) do
    if call('HEXISTS', x.P .. 'lanes', lane) == 0 then new[#new + 1] = {lane, text} end
  end
  return new
end

function R.submit(x, request, record, envelopes)
  R.tick(x)
  local refusal = full(x)
  if refusal then return refusal end
  local words, batch, keys, replaced, taken = {}, {}, {}, {}, 0
  local new = known_lanes(x, request.lanes or {})
  if #new > R.lanes_left(x) then return {'lanes'} end
  for i, job in ipairs(request.jobs) do
    local word, victim = objection(x, job, request.lanes or {}, batch, keys)
    words[i] = word or (victim and 'replaced:' .. victim) or 'new'
    if not word then
      batch[job.i], replaced[job.i], taken = job, victim, taken + 1
      if job.u then keys[job.u[1]] = job.i end
    end
  end
  if taken == 0 then return words end
  for _, pair in ipairs(new) do R.add_lane(x, pair[1], pair[2]) end
  if filled(record) then
    call('SET', x.P .. 'bt:' .. request.batch, record)
    call('HINCRBY', x.P .. 'btn', request.batch, taken)
  end
  x.used_lanes = {}
  for i, job in ipairs(request.jobs) do
    if batch[job.i] == job then
      write(x, job, envelopes[i], request.watch)
      place(x, job, replaced[job.i])
    end
  end
  for lane in pairs(x.used_lanes) do call('ZADD', x.P .. 'lused', int(x.now), lane) end
  return words
end
