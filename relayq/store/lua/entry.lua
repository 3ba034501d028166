-- entry: the functions of the library. One anchor key, one JSON argument, then raw bytes.

-- The fleet has gone on to another schema (scripts.py), and this library stands beside that one's: who
-- only submits learns it here. -> {'schema', which}, or nothing
local SCHEMA = '1'

local function moved_on(x)
  local schema = call('HGET', x.P .. 'cfg', 'schema')
  if schema and schema ~= SCHEMA then return {'schema', schema} end
end

local function tail(args, from)
  local rest = {}
  for i = from, #args do rest[#rest + 1] = args[i] end
  return rest
end

local function writes(name, flags, body)
  redis.register_function{function_name = 'rq' .. SCHEMA .. '_' .. name, flags = flags, callback = function(keys, args)
    local x = R.open(keys)
    local reply = body(x, cjson.decode(args[1]), args)
    R.close(x)
    return reply
  end}
end

local function reads(name, body)
  redis.register_function{function_name = 'rq' .. SCHEMA .. '_' .. name, flags = {'no-writes'}, callback = function(keys, args)
    return body(R.open(keys), cjson.decode(args[1]))
  end}
end

local ALWAYS = {'allow-oom'}

writes('submit', {}, function(x, request, args)
  return moved_on(x) or R.submit(x, request, args[2], tail(args, 3))
end)
writes('sync', ALWAYS, function(x, request, args) return R.sync(x, request, args) end)
writes('register', ALWAYS, function(x, request) return R.register(x, request) end)
writes('leave', ALWAYS, function(x, request) return R.goodbye(x, request.session) end)
writes('cancel', ALWAYS, function(x, request, args)
  return R.cancel(x, request.id, request.why, request.kill, args[2])
end)
writes('hold', ALWAYS, function(x, request, args) return R.hold(x, request.id, args[2]) end)
writes('release', ALWAYS, function(x, request, args) return R.release(x, request.id, args[2]) end)
writes('approve', ALWAYS, function(x, request, args) return R.approve(x, request.id, args[2]) end)
writes('reprioritise', ALWAYS, function(x, request, args)
  return R.reprioritise(x, request.id, request.priority, args[2])
end)
writes('retry', {}, function(x, request, args) return R.retry(x, request.id, args[2]) end)
writes('watch', ALWAYS, function(x, request) return R.watch(x, request.id) end)
writes('pause', ALWAYS, function(x, request, args) return R.pause(x, request.queue, request.paused, args[2]) end)
writes('weight', ALWAYS, function(x, request, args) return R.weight(x, request.queue, request.weight, args[2]) end)
writes('command', ALWAYS, function(x, request, args) return R.command(x, request.name, request.word, args[2]) end)
writes('put_blob', {}, function(x, request, args) return R.put_blob(x, request.digest, args[2]) end)
writes('pull', ALWAYS, function(x, request) return R.pull(x, request) end)
writes('pour', {}, function(x, request, args) return R.pour(x, request.ticket, request.kind, args[2]) end)
writes('bulk', ALWAYS, function(x, request, args) return R.bulk(x, request, tail(args, 2)) end)
writes('put_schedule', {}, function(x, request, args) return R.put_schedule(x, request, args[2]) end)
writes('steer_schedule', ALWAYS, function(x, request, args) return R.steer_schedule(x, request, args[2]) end)
writes('fire', {}, function(x, request) return R.fire(x, request) end)
writes('drain', ALWAYS, function(x, request) return R.drain(x, request) end)
writes('admit', ALWAYS, function(x, request, args) return R.admit(x, request, tail(args, 2)) end)
writes('roster', ALWAYS, function(x, _, args) return R.put_roster(x, args[2]) end)
writes('tick', ALWAYS, function(x) R.tick(x, true) return 'ok' end)
writes('budget_put', {}, function(x, request, args) return R.budget_put(x, request, args[2]) end)
writes('budget_runs', {}, function(x, request) return R.budget_runs(x, request) end)
writes('step', {}, function(x, request) return R.step(x, request) end)
writes('notice_claim', ALWAYS, function(x, request) return R.notice_claim(x, request) end)
writes('notice_done', ALWAYS, function(x, request) return R.notice_done(x, request) end)
reads('record', function(x, request) return R.record(x, request.id) end)
reads('list', function(x, request) return R.list(x, request) end)
reads('rows', function(x, request) return R.rows(x, request) end)
reads('page', function(x, request) return R.page(x, request) end)
reads('happened', function(x, request) return R.happened(x, request) end)
reads('blockers', function(x, request) return R.blockers(x, request.id) end)
reads('refusals', function(x) return R.refusals(x) end)
reads('workers', function(x) return R.workers(x) end)
reads('schedules', function(x, request) return R.schedules(x, request) end)
reads('stats', function(x) return R.stats(x) end)
reads('budget', function(x, request) return R.budget(x, request) end)
