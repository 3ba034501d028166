-- notices: who is to be told how a job ended, each told once.
--
-- nt of j:<id>  JSON list of repositories, one a notice, from the routing
-- nq       zset: '<id> <notice> <end>' -> when somebody may take it (ms); <end> is when the job ended
-- nh       hash: member -> '<token> <tries>', who holds it
-- nr:<id>  hash: notice -> '<word> <ms> <detail>': posted | failed | unsure, for people
--
-- A claim is a lease: it hides the notice until the lease is over, and whoever then takes it gets
-- `tries` above 1 and must look whether the post was made; `doubt` says that the holder before has
-- vanished without a word. Only the holder may say how it went.

local PAGE, LOOKED_AT = 200, 4000

function R.notices_due(x, id)
  local text = R.job(x, id, 'nt')[1]
  if not text then return end
  R.notices_dropped(x, id)
  for i = 1, #cjson.decode(text) do
    call('ZADD', x.P .. 'nq', int(x.now), id .. ' ' .. i .. ' ' .. int(x.now))
  end
  R.event(x, 'notice', id)
end

local function remove(x, member)
  call('ZREM', x.P .. 'nq', member)
  call('HDEL', x.P .. 'nh', member)
end

-- what is still to be told of an earlier end, and what was told
function R.notices_dropped(x, id)
  local j = R.job(x, id, 'nt', 'ne')
  if not j[1] then return end
  for i = 1, #cjson.decode(j[1]) do
    if j[2] then remove(x, id .. ' ' .. i .. ' ' .. j[2]) end
  end
  call('DEL', x.P .. 'nr:' .. id)
  call('HSET', x.P .. 'j:' .. id, 'ne', int(x.now))
end

local function is_wanted(repo, patterns)
  for _, pattern in ipairs(patterns) do
    local owner = string.match(pattern, '^(.*/)%*$')
    if pattern == repo or owner and string.sub(repo, 1, #owner) == owner then return true end
  end
  return false
end

local function take(x, request, member, id)
  local holder, tries = string.match(call('HGET', x.P .. 'nh', member) or '- 0', '^(%S+) (%d+)$')
  tries = tonumber(tries) + 1
  call('ZADD', x.P .. 'nq', int(x.now + request.lease), member)
  call('HSET', x.P .. 'nh', member, request.token .. ' ' .. int(tries))
  return {member, tries, holder ~= '-' and 1 or 0, call('GET', x.P .. 's:' .. id) or ''}
end

-- the first of these members that is wanted, taken if it is due; what nobody can tell any more goes
local function pick(x, request, page)
  for i = 1, #page, 2 do
    local member, due = page[i], tonumber(page[i + 1])
    local id, index = string.match(member, '^(%S+) (%d+) ')
    local j = R.job(x, id, 'nt', 's')
    if not j[1] or not FINAL[j[2]] then
      remove(x, member)
    elseif is_wanted(cjson.decode(j[1])[tonumber(index)] or '', request.repos) then
      if due <= x.now then return take(x, request, member, id) end
      return {'none', int(due - x.now)}
    end
  end
end

-- request: token, lease (ms), repos (patterns 'owner/name' or 'owner/*', lower case)
-- -> {member, tries, doubt (0 | 1), envelope} | {'none', ms until one is due, -1 for none}
function R.notice_claim(x, request)
  for from = 0, LOOKED_AT - PAGE, PAGE do
    local page = call('ZRANGE', x.P .. 'nq', from, from + PAGE - 1, 'WITHSCORES')
    local found = pick(x, request, page)
    if found then return found end
    if #page < PAGE * 2 then break end
  end
  return {'none', '-1'}
end

-- request: member, token, word (posted | failed | unsure | later), detail, delay (ms, of later)
-- -> 'ok' | 'lost' (somebody else holds it)
function R.notice_done(x, request)
  local holder = call('HGET', x.P .. 'nh', request.member)
  if not holder or string.match(holder, '^(%S+) ') ~= request.token then return 'lost' end
  local id, index = string.match(request.member, '^(%S+) (%d+) ')
  local said = request.word .. ' ' .. int(x.now) .. ' ' .. string.sub(request.detail or '', 1, 200)
  if call('EXISTS', x.P .. 'j:' .. id) == 1 then call('HSET', x.P .. 'nr:' .. id, index, said) end
  if request.word == 'later' then
    call('ZADD', x.P .. 'nq', int(x.now + request.delay), request.member)
    call('HSET', x.P .. 'nh', request.member, '- ' .. string.match(holder, '(%d+)$'))
  else
    remove(x, request.member)
    R.event(x, 'told', id, request.word)
  end
  return 'ok'
end
