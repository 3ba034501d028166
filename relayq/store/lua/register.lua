-- register: a session appears, tells what it offers, and takes back what it still holds.
--
-- names  worker name -> session    w:<session>  what it offers    wj:<session>  job -> attempt
-- A name belongs to one live session. The same instance (the same state directory) replaces
-- its own session: that is a restart. Another instance is refused while the first lives.
-- UNREACHABLE -> RUNNING, RUNNABLE -> RUNNING (nobody has started it since): adoption, here and
-- in a full sync.

local function hold(x, session, id, attempt)
  call('HSET', x.P .. 'wj:' .. session, id, attempt)
  call('HSET', x.P .. 'j:' .. id, 'w', session, 'a', int(attempt))
  call('HDEL', x.P .. 'j:' .. id, 'ls')
  local j = R.job(x, id, 'cx', 'wt')
  if j[1] then call('SADD', x.P .. 'fl:' .. session, j[1] .. id) end
  if j[2] then call('SADD', x.P .. 'fl:' .. session, 'w' .. id) end
  R.event(x, 'adopt', id, session)
end

-- may this session take the attempt back? `mine`: it is known here as this worker's, and only lost.
-- An attempt newer than the hub knows was started before the hub lost its last second.
local function is_adoptable(j, name, attempt)
  local known = tonumber(j.a) or 0
  if not j.s or j.n or FINAL[j.s] or (tonumber(j.d) or 0) > 0 then return false end
  local mine = known == attempt and string.match(j.w or '', '^(.*)#') == name and (j.s == 'U' or j.ls)
  return mine or known < attempt, mine
end

-- RUNNABLE | PENDING -> RUNNING, if its limits have room
local function back_from_queue(x, id, j)
  local facts = R.lane(x, j.l)
  local _, why = R.blocked(x, facts)
  if why == 'limit' then return false end
  R.leave(x, id, j.s)
  call('HDEL', x.P .. 'j:' .. id, 'h', 'ho', 'r', 'du')
  R.move(x, id, j.s, 'N')
  R.hold_limits(x, facts, id)
  return true
end

-- true when the held attempt is (again) this session's
function R.adopt(x, session, id, attempt)
  local j = fields(call('HGETALL', x.P .. 'j:' .. id))
  local known = tonumber(j.a) or 0
  if j.s == 'N' and j.w == session and known == attempt then return true end
  local adoptable, mine = is_adoptable(j, string.match(session, '^(.*)#'), attempt)
  if not adoptable then return false end
  local queued = j.s == 'R' or j.s == 'P'
  if queued then
    if not back_from_queue(x, id, j) then return false end
  else
    R.leave(x, id, j.s)
    if j.s == 'U' then R.move(x, id, 'U', 'N') end
  end
  if mine and j.ls then
    call('HINCRBY', x.P .. 'j:' .. id, 'c', -1)
    R.unlose(x, id)
  elseif not mine then  -- attempts that the hub has forgotten are not counted
    local forgotten = attempt - known - (queued and 1 or 0)
    call('HINCRBY', x.P .. 'j:' .. id, 'v', forgotten)
    call('HINCRBY', x.P .. 'j:' .. id, 'hb', forgotten)
    call('HSET', x.P .. 'j:' .. id, 'b', int(x.now))
    call('HDEL', x.P .. 'j:' .. id, 'lo', 'le', 'pm', 'pg')  -- what it wrote begins with its first byte
  end
  if j.w and j.w ~= session then R.drop_orders(x, j.w, id) end
  hold(x, session, id, attempt)
  return true
end

-- the session that this one replaces ends now; what it held and nobody holds is run again at once,
-- since the same instance says that it does not run it
local function replace(x, old, request)
  local held = call('HKEYS', x.P .. 'wj:' .. old)
  R.end_session(x, old)
  for _, id in ipairs(held) do
    if not request.held[id] then R.crash(x, id, 'U') end
  end
  R.forget_session(x, old)
end

local function session_hash(x, request)
  local key = x.P .. 'w:' .. request.session
  R.stand_down(x, request.session)
  call('HSET', key, 'name', request.name, 'instance', request.instance, 'offer', request.offer,
       'facts', request.facts, 'since', int(x.now), 'pw', request.power or '')
end

function R.register(x, request)
  local old = call('HGET', x.P .. 'names', request.name)
  if old and old ~= request.session then
    local instance = call('HGET', x.P .. 'w:' .. old, 'instance')
    if instance ~= request.instance and R.online(x, old) then return {'taken', old} end
    if instance == request.instance and call('ZSCORE', x.P .. 'wlive', old) then
      replace(x, old, request)
    else
      if call('ZSCORE', x.P .. 'wlive', old) then R.end_session(x, old) end
      R.forget_session(x, old)
    end
  end
  R.tick(x)
  call('HSET', x.P .. 'names', request.name, request.session)
  call('ZADD', x.P .. 'wlive', int(x.now + LEASE), request.session)
  call('ZREM', x.P .. 'woff', request.session)
  session_hash(x, request)
  if old ~= request.session then R.event(x, 'worker', request.name, request.session) end
  local adopted, gone, offsets = {}, {}, {}
  for id, attempt in pairs(request.held) do
    if R.adopt(x, request.session, id, attempt) then
      adopted[#adopted + 1] = id
      local j = R.job(x, id, 'lo', 'le')
      offsets[#offsets + 1] = id; offsets[#offsets + 1] = j[1] or '0'; offsets[#offsets + 1] = j[2] or '0'
    else
      gone[#gone + 1] = id
    end
  end
  return {'ok', int(x.now), call('HGET', x.P .. 'cfg', 'epoch') or '', call('GET', x.P .. 'lanev') or '0',
          call('HGETALL', x.P .. 'lanes'), adopted, gone, offsets}
end

-- the session ends in good order: what it leaves running becomes UNREACHABLE, for its next session
function R.goodbye(x, session)
  if not call('ZSCORE', x.P .. 'wlive', session) then return 'unknown' end
  R.end_session(x, session)
  return 'left'
end
