-- bulk: many jobs in one call, for whoever looks at all of them or steers them together.

local function row(x, id, is_known)
  local list = call('HGETALL', x.P .. 'j:' .. id)
  if #list > 0 then return {id, list, is_known and '' or call('GET', x.P .. 's:' .. id) or ''} end
end

-- request: ids, and how many of them at the front are known, whose envelope is not wanted again
-- -> {{id, fields, envelope}...} of those that there are
function R.rows(x, request)
  local out = {}
  for place, id in ipairs(request.ids) do out[#out + 1] = row(x, id, place <= request.known) end
  return out
end

-- request: index (delay pend lost open done fail q:<lane>), from, count -> {how many there were, rows}, its end first
function R.page(x, request)
  local ids, out = call('ZREVRANGE', x.P .. request.index, request.from, request.from + request.count - 1), {}
  for _, id in ipairs(ids) do out[#out + 1] = row(x, id) end
  return {#ids, out}
end

-- final -> forgotten, because somebody asked -> forgotten | not-ended | unknown
function R.forget_now(x, id)
  local state = R.job(x, id, 's')[1]
  if not state then return 'unknown' end
  if not FINAL[state] or not R.forget(x, id) then return 'not-ended' end
  R.event(x, 'forgotten', id)
  return 'forgotten'
end

local VERBS = {
  cancel = function(x, id, request, op) return R.cancel(x, id, request.why, nil, op) end,
  kill = function(x, id, request, op) return R.cancel(x, id, request.why, true, op) end,
  hold = function(x, id) return R.hold(x, id) end,
  release = function(x, id) return R.release(x, id) end,
  reprioritise = function(x, id, request) return R.reprioritise(x, id, request.value) end,
  forget = function(x, id) return R.forget_now(x, id) end,
  retry = function(x, id, _, op) return R.retry(x, id, op) end,
}

-- request: verb, ids, value, why; for cancel, kill and retry a signed op for each id follows -> a word for each
function R.bulk(x, request, ops)
  local words = {}
  for place, id in ipairs(request.ids) do words[place] = VERBS[request.verb](x, id, request, ops[place]) end
  return words
end
