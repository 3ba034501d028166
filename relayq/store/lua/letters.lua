-- letters: a session's mailbox (a stream) and its standing orders (a set).
--
-- mb:<session>  what is pushed to it; losing it costs time, never a job
-- fl:<session>  'c<id>' end this job, 'k<id>' at once, 'w<id>' somebody follows its log: in every sync reply

local ORDERS = {c = 'cancel', k = 'end', w = 'watch'}

function R.letter(x, session, list)
  call('XADD', x.P .. 'mb:' .. session, 'MAXLEN', '~', 256, '*', unpack(list))
end

function R.order(x, session, flag, id)
  call('SADD', x.P .. 'fl:' .. session, flag .. id)
  R.letter(x, session, {'k', ORDERS[flag], 'i', id})
end

function R.drop_orders(x, session, id)
  call('SREM', x.P .. 'fl:' .. session, 'c' .. id, 'k' .. id, 'w' .. id)
end

-- what a worker needs to start an attempt
function R.claim_of(x, id, lane, attempt, j)
  local base = R.parts(id)
  local envelope = call('GET', x.P .. 's:' .. base) or ''
  local op = call('GET', x.P .. 'ro:' .. base) or ''
  return {id, int(attempt), int((tonumber(j[1]) or 0) + (tonumber(j[2]) or 0)), lane,
          int(x.now), envelope, op, tostring(call('HGET', x.P .. 'j:' .. base, 'n') or '0')}
end
