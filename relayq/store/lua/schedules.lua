-- schedules: signed schedules, and the slots that are fired, each once and for all.
--
-- The hub knows no rule: when a slot comes is for schedulers to compute and for workers to check.
-- It remembers what has been decided. sc: name -> envelope. sd:<name>: v revision  fl floor: every
-- slot up to it has been decided  R routing  l lane  L lane's json  r rule, zone and all  by kid
-- t added  p paused since  j last job  s its slot  f fired  w by whom  nf nm no slots fired, missed,
-- passed over.  sz:<name>: slots above the floor that were fired out of turn.  sl:<name>: what
-- became of the latest slots.  sk: schedulers -> when they were last heard.
--
-- steer_schedule  request {verb, name, ...} -> a word
-- put_schedule    request {name, mode, rev, restart, routing, lane, lane_json, rule, by}, envelope
--                 -> added | changed | exists | unknown | many | raced
-- fire            request {name, rev, rule, who, upto, missed, runs {{slot, id}...}}
--                 -> {'ok', {slot, word, job}...} | {unknown | paused | changed | behind} | {'full', used, most}
-- schedules       request {history} -> {now, {{name, envelope, fields, letter of its last job, history}...}, schedulers}

local MOST = 1000
local KEPT = 50
local SILENT = 60000

local function state_of(x, name) return x.P .. 'sd:' .. name end

-- all slots up to `upto` have been decided
local function raise_floor(x, name, upto)
  local floor = tonumber(call('HGET', state_of(x, name), 'fl')) or 0
  if upto <= floor then return end
  call('HSET', state_of(x, name), 'fl', int(upto))
  call('ZREMRANGEBYSCORE', x.P .. 'sz:' .. name, '-inf', int(upto))
end

-- no slot that has not come has been decided, unless it was fired (clock.lua)
function R.slots_by_now(x)
  for _, name in ipairs(call('HKEYS', x.P .. 'sc')) do
    if (tonumber(call('HGET', state_of(x, name), 'fl')) or 0) > x.now then
      call('HSET', state_of(x, name), 'fl', int(x.now))
      call('HINCRBY', x.P .. 'cfg', 'schedules', 1)  -- schedulers read it anew
    end
  end
end

local function tell(x, name, slot, who, word, id)
  call('LPUSH', x.P .. 'sl:' .. name, cjson.encode({int(slot), int(x.now), who, word, id}))
  call('LTRIM', x.P .. 'sl:' .. name, 0, KEPT - 1)
  R.event(x, 'slot', name, word)
end

function R.put_schedule(x, request, envelope)
  local name, key = request.name, state_of(x, request.name)
  local rev = call('HGET', key, 'v')
  if request.mode == 'add' and rev then return 'exists' end
  if request.mode == 'edit' and not rev then return 'unknown' end
  if rev and rev ~= request.rev then return 'raced' end
  if not rev and call('HLEN', x.P .. 'sc') >= MOST then return 'many' end
  call('HSET', x.P .. 'sc', name, envelope)
  call('HSET', key, 'v', call('HINCRBY', x.P .. 'cfg', 'schedules', 1), 'R', request.routing, 'l', request.lane,
       'L', request.lane_json, 'r', request.rule, 'by', request.by)
  if not rev then call('HSET', key, 't', int(x.now)) end
  if not rev or request.restart then raise_floor(x, name, x.now) end
  R.event(x, 'schedule', name, rev and 'changed' or 'added')
  return rev and 'changed' or 'added'
end

local VERBS = {}

function VERBS.pause(x, name)
  if call('HSETNX', state_of(x, name), 'p', int(x.now)) == 0 then return 'was-paused' end
  return 'paused'
end

-- what came meanwhile was not wanted
function VERBS.resume(x, name)
  if call('HDEL', state_of(x, name), 'p') == 0 then return 'not-paused' end
  raise_floor(x, name, x.now)
  return 'resumed'
end

function VERBS.remove(x, name)
  call('HDEL', x.P .. 'sc', name)
  call('UNLINK', state_of(x, name), x.P .. 'sz:' .. name, x.P .. 'sl:' .. name)
  return 'removed'
end

-- somebody ran it by hand
function VERBS.ran(x, name, request)
  call('HSET', state_of(x, name), 'j', request.job, 's', '0', 'f', int(x.now), 'w', request.who)
  tell(x, name, 0, request.who, 'by-hand', request.job)
  return 'noted'
end

function R.steer_schedule(x, request, op)
  if request.verb == 'beat' then
    call('ZADD', x.P .. 'sk', int(x.now), request.name)
    call('ZREMRANGEBYSCORE', x.P .. 'sk', '-inf', int(x.now - SILENT))
    return {int(x.now), call('HGET', x.P .. 'cfg', 'schedules') or '0'}
  end
  if request.verb == 'leave' then return call('ZREM', x.P .. 'sk', request.name) end
  if call('HEXISTS', x.P .. 'sc', request.name) == 0 then return 'unknown' end
  call('HINCRBY', x.P .. 'cfg', 'schedules', 1)
  local word = VERBS[request.verb](x, request.name, request)
  if request.verb ~= 'ran' then R.event(x, 'schedule', request.name, word, op) end
  return word
end

-- may the job of a slot go beside the one before? -> nil, or why not; what it has to wait for
local function overlap(x, policy, last)
  local state = last and R.job(x, last, 's')[1]
  if not state or FINAL[state] or policy == 'allow' then return end
  if policy == 'skip' then return 'overlap' end
  if policy == 'cancel' then
    R.cancel(x, last, 'the next slot came')
    if FINAL[R.job(x, last, 's')[1]] then return end
  end
  return nil, last
end

-- one slot -> what became of it, the job
local function fire_slot(x, sd, slot, id, envelope)
  local routing = cjson.decode(sd.R)
  local why_not, before = overlap(x, routing.overlap, sd.j)
  if why_not then return why_not, sd.j end
  routing.overlap, routing.i = nil, id
  if before then routing.af = {{before, 'any'}} end
  local words = R.submit(x, {jobs = {routing}, lanes = {[sd.l] = sd.L}}, '', {'1 slot ' .. int(slot) .. '\n' .. envelope})
  local word, other = string.match(words[1], '^(%l+):?(.*)$')
  if word == 'full' or word == 'lanes' then return word, words end
  if word == 'bad' then return 'bad ' .. string.sub(other, 1, 200), '' end
  return word == 'replaced' and 'new' or word, word == 'unique' and other or id
end

local function is_decided(x, name, slot)
  local floor = tonumber(call('HGET', state_of(x, name), 'fl')) or 0
  return slot <= floor or call('ZSCORE', x.P .. 'sz:' .. name, int(slot))
end

local function note(x, name, sd, slot, word, id, who)
  call('ZADD', x.P .. 'sz:' .. name, int(slot), int(slot))
  if word == 'new' then
    sd.j = id
    call('HSET', state_of(x, name), 'j', id, 's', int(slot), 'f', int(x.now), 'w', who)
    call('HINCRBY', state_of(x, name), 'nf', 1)
  else
    call('HINCRBY', state_of(x, name), 'no', 1)
  end
  tell(x, name, slot, who, word, id)
end

function R.fire(x, request)
  local name, out = request.name, {'ok'}
  local envelope = call('HGET', x.P .. 'sc', name)
  if not envelope then return {'unknown'} end
  local sd = fields(call('HGETALL', state_of(x, name)))
  local floor, met = tonumber(sd.fl) or 0, 0
  if sd.p then return {'paused'} end
  if (request.rev and request.rev ~= sd.v) or (request.rule and request.rule ~= sd.r) then return {'changed'} end
  -- a scheduler that did not see what others have decided would count the missed ones wrongly
  if request.upto and request.missed > 0 and request.floor ~= floor then return {'behind'} end
  local early = request.upto and call('ZCOUNT', x.P .. 'sz:' .. name, '-inf', int(request.upto)) or 0
  for _, run in ipairs(request.runs) do
    local slot, id = run[1], run[2]
    if is_decided(x, name, slot) then
      met = met + 1
      out[#out + 1] = {int(slot), 'before', id}
    else
      local word, job = fire_slot(x, sd, slot, id, envelope)
      if word == 'full' or word == 'lanes' then return job end
      note(x, name, sd, slot, word, job, request.who)
      out[#out + 1] = {int(slot), word, job}
    end
  end
  if request.upto and request.upto > floor then
    local missed = request.missed - math.max(0, early - met)
    if missed > 0 then
      call('HINCRBY', state_of(x, name), 'nm', int(missed))
      tell(x, name, request.upto, request.who, 'missed ' .. int(missed), '')
    end
    raise_floor(x, name, request.upto)
  end
  return out
end

function R.schedules(x, request)
  local out, flat = {}, call('HGETALL', x.P .. 'sc')
  for i = 1, #flat, 2 do
    local name = flat[i]
    local last = call('HGET', state_of(x, name), 'j')
    out[#out + 1] = {name, flat[i + 1], call('HGETALL', state_of(x, name)),
                     last and R.job(x, last, 's')[1] or '',
                     request.history > 0 and call('LRANGE', x.P .. 'sl:' .. name, 0, request.history - 1) or {}}
  end
  return {int(x.now), out, call('ZRANGEBYSCORE', x.P .. 'sk', int(x.now - SILENT), '+inf')}
end
