-- bulk: many jobs in one call, for whoever looks at all of them or steers them together.

-- A reader takes one long string a hundred times as fast as the thousands of short ones it is made of.

-- rows of strings -> {their lengths: a space after each string, a semicolon after each row; the strings}
function R.packed(rows)
  local lengths, strings = {}, {}
  for _, row in ipairs(rows) do
    for _, word in ipairs(row) do
      lengths[#lengths + 1] = #word .. ' '
      strings[#strings + 1] = word
    end
    lengths[#lengths + 1] = ';'
  end
  return {table.concat(lengths), table.concat(strings)}
end

-- a job in one row: id, envelope, then its fields
function R.job_row(x, id, is_known)
  local list = call('HGETALL', x.P .. 'j:' .. id)
  if #list > 0 then return {id, is_known and '' or call('GET', x.P .. 's:' .. R.parts(id)) or '', unpack(list)} end
end

-- request: ids, and how many of them at the front are known, whose envelope is not wanted again
-- -> packed job rows of those that there are
function R.rows(x, request)
  local out = {}
  for place, id in ipairs(request.ids) do out[#out + 1] = R.job_row(x, id, place <= request.known) end
  return R.packed(out)
end

-- request: index (delay pend lost open done fail q:<lane>), from, count -> {how many there were, packed job rows}, its end first
function R.page(x, request)
  local ids, out = call('ZREVRANGE', x.P .. request.index, request.from, request.from + request.count - 1), {}
  for _, id in ipairs(ids) do out[#out + 1] = R.job_row(x, id) end
  return {#ids, R.packed(out)}
end

-- request: after (an event's id), count -> packed events: id, kind, subject, detail, and the signed order if there is one
function R.happened(x, request)
  local out = {}
  for _, entry in ipairs(call('XRANGE', x.P .. 'ev', '(' .. request.after, '+', 'COUNT', request.count)) do
    local e = fields(entry[2])
    out[#out + 1] = {entry[1], e.k, e.i, e.d, e.o}
  end
  return R.packed(out)
end

-- final -> forgotten, because somebody asked -> forgotten | not-ended | unknown. What takes more than
-- one bite is the first that housekeeping takes up.
function R.forget_now(x, id, op)
  local state = R.job(x, id, 's')[1]
  if not state then return 'unknown' end
  if not FINAL[state] then return 'not-ended' end
  if not R.forget(x, id) then call('ZADD', x.P .. (state == 'S' and 'done' or 'fail'), 0, id) end
  R.event(x, 'forgotten', id, '', op)
  return 'forgotten'
end

local VERBS = {
  cancel = function(x, id, request, op) return R.cancel(x, id, request.why, nil, op) end,
  kill = function(x, id, request, op) return R.cancel(x, id, request.why, true, op) end,
  hold = function(x, id, _, op) return R.hold(x, id, op) end,
  release = function(x, id, _, op) return R.release(x, id, op) end,
  reprioritise = function(x, id, request, op) return R.reprioritise(x, id, request.value, op) end,
  forget = function(x, id, _, op) return R.forget_now(x, id, op) end,
  retry = function(x, id, _, op) return R.retry(x, id, op) end,
}

-- request: verb, ids, value, why; a signed op for each id follows -> a word for each
function R.bulk(x, request, ops)
  local words = {}
  for place, id in ipairs(request.ids) do words[place] = VERBS[request.verb](x, id, request, ops[place]) end
  return words
end
