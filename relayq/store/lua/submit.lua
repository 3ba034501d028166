-- submit: up to 500 jobs, all checks before the first write; -> RUNNABLE | PENDING | SKIPPED.
--
-- ARGV 1 {"jobs": [routing...], "lanes": {id: json}, "batch": digest, "watch": 1}
--      2 batch record or ''       3.. envelopes, in the order of the jobs
-- -> a word per job: new | dup | unique:<id> | replaced:<id> | bad:<why>; or for all of them
--    {'full', used, most} | {'lanes'} | {'schema', which} (entry.lua)
-- Routings are JobSpec.routing (relayq/model/job.py). Idempotent by job id.

local FULL = 0.85
local MANY = 10000

-- is there no room for anything new? Then {'full', used, most}
function R.full(x)
  local cfg = call('HMGET', x.P .. 'cfg', 'used', 'maxmemory')
  local used, most = tonumber(cfg[1]) or 0, tonumber(cfg[2]) or 0
  if most > 0 and used > most * FULL then return {'full', int(used), int(most)} end
end

local function is_plain(id) return string.match(id, '^%w+$') end

-- why a job cannot wait index to index for the array `id` of `size` elements from `first` on
local function bad_index(x, job, id, size, first)
  if not size then return 'job ' .. id .. " is no array (field 'after')" end
  if tonumber(size) ~= job.n or (tonumber(first) or 0) ~= (job.n0 or 0) then
    return 'array ' .. id .. " has not the same indices: waiting index by index needs them (field 'after')"
  end
  if job.sq then return "a sequential array cannot wait index by index (field 'after')" end
  if tonumber(size) > MANY and job.indexed then
    return "more than 10000 elements can wait index by index for one array only (field 'after')"
  end
  job.indexed = true
  if tonumber(size) > MANY and R.array_begun(x, id) then
    return 'array ' .. id .. ' has begun and is larger than 10000 elements: too late to wait index by index'
  end
end

local function bad_dependency(x, job, after, batch)
  local id, mode, other = after[1], after[3], batch[after[1]]
  if not is_plain(id) then return id .. " is no whole job: wait for its array, or index by index (field 'after')" end
  local j = other and {'P', other.n, other.n0} or R.job(x, id, 's', 'n', 'n0')
  if not j[1] then return 'there is no job ' .. id .. " to wait for (field 'after')" end
  return mode == 'index' and bad_index(x, job, id, j[2], j[3])
end

-- nothing of it runs
local function is_replaceable(x, id)
  local j = R.job(x, id, 's', 'nR')
  return (j[1] == 'P' or j[1] == 'R') and (tonumber(j[2]) or 0) == 0
end

-- the word for a job that cannot be taken, or nil
local function objection(x, job, lanes, batch, keys)
  if not is_plain(job.i) then return 'bad:its id is none' end
  if call('EXISTS', x.P .. 'j:' .. job.i) == 1 or batch[job.i] then return 'dup' end
  if not lanes[job.l] and call('HEXISTS', x.P .. 'lanes', job.l) == 0 then return 'bad:its lane is unknown' end
  local missing = R.missing_blob(x, job['in'])
  if missing then return 'bad:the hub has not the input file ' .. string.sub(missing, 1, 8) .. " (field 'inputs')" end
  for _, after in ipairs(job.af or {}) do
    local why = bad_dependency(x, job, after, batch)
    if why then return 'bad:' .. why end
  end
  if job.u then
    local holder = keys[job.u[1]] or R.unique_holder(x, job.u[1])
    if holder then
      -- from an inbox only jobs of the same sender are replaced: a key is not a secret
      local may = not x.mark or string.sub(holder, 1, #x.mark) == x.mark
      if job.u[2] == 'replace' and may and not keys[job.u[1]] and is_replaceable(x, holder) then return nil, holder end
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
  if job.d and due > (job.at or 0) then put('dr', '1') end
  if watch then put('wt', '1') end
  if job.nt then put('nt', cjson.encode(job.nt)) end
  call('HSET', x.P .. 'j:' .. job.i, unpack(record))
  call('SET', x.P .. 's:' .. job.i, envelope)
  if job.D then
    call('HSET', x.P .. 'j:' .. job.i, 'D', int(x.now + job.D))
    call('ZADD', x.P .. 'dl', int(x.now + job.D), job.i)
    x.nearest = math.min(x.nearest or job.D, job.D)
  end
  R.refer(x, job.i, job['in'])
  x.used_lanes[job.l] = (x.used_lanes[job.l] or 0) + 1
  R.tally(x, 'in')
  R.event(x, 'submit', job.i)
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

local function place(x, job)
  if job.u then R.unique_take(x, job.i, job.u) end
  local failed, gated = depend(x, job)
  if gated then call('HSET', x.P .. 'j:' .. job.i, 'gt', '1', 'ix', cjson.encode(gated)) end
  if job.sq then R.admit_first(x, job.i, job.n0 or 0) end
  if failed then call('HSET', x.P .. 'j:' .. job.i, 'd', 1) end
  R.settle(x, job.i, nil)
  if failed then return R.skip(x, job.i) end
  if gated then R.wait_by_index(x, job.i, gated) end
end

-- the lanes that these jobs need and the hub does not know
local function new_lanes(x, jobs, lanes)
  local new, count = {}, 0
  for _, job in pairs(jobs) do
    if not new[job.l] and lanes[job.l] and call('HEXISTS', x.P .. 'lanes', job.l) == 0 then
      new[job.l], count = lanes[job.l], count + 1
    end
  end
  return new, count
end

-- those that are replaced go first, all of them, before anything that their end sets off
local function cancel_all(x, replaced)
  x.fanning = true
  for _, id in pairs(replaced) do R.cancel(x, id, 'replaced') end
  x.fanning = nil
  R.fan_out(x)
end

function R.submit(x, request, record, envelopes)
  R.tick(x)
  local refusal = R.full(x)
  if refusal then return refusal end
  local words, batch, keys, replaced, taken = {}, {}, {}, {}, 0
  for i, job in ipairs(request.jobs) do
    local word, victim = objection(x, job, request.lanes or {}, batch, keys)
    words[i] = word or (victim and 'replaced:' .. victim) or 'new'
    if not word then
      batch[job.i], replaced[job.i], taken = job, victim, taken + 1
      if job.u then keys[job.u[1]] = job.i end
    end
  end
  if taken == 0 then return words end
  local new, count = new_lanes(x, batch, request.lanes or {})
  if count > R.lanes_left(x) then return {'lanes'} end
  for lane, text in pairs(new) do R.add_lane(x, lane, text) end
  if filled(record) then
    call('SET', x.P .. 'bt:' .. request.batch, record)
    call('HINCRBY', x.P .. 'btn', request.batch, taken)
  end
  x.used_lanes = {}
  cancel_all(x, replaced)
  for i, job in ipairs(request.jobs) do
    if batch[job.i] == job then
      write(x, job, envelopes[i], request.watch)
      place(x, job)
    end
  end
  for lane, count in pairs(x.used_lanes) do
    R.lane_holds(x, lane, count)
    call('ZADD', x.P .. 'lused', int(x.now), lane)
  end
  if x.nearest then R.wake_for_deadline(x, x.nearest) end
  return words
end
