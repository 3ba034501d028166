-- pull: the whole log of a job, from the disk of the worker that ran it, on demand.
--
-- full:<ticket>  a short-lived stream: fields s (first: how many bytes there are), o or e (output),
--                x (last: '' or why not)
-- The reader asks with a ticket of its own and takes entries away as it reads them; the
-- worker pours while there is room, so a log of any size costs the hub a few pieces.

local ROOM = 16
local LIFE_S = 300

-- {id, ticket, worker, attempt}: '' is the worker that ran it last, 0 all that it ran
-- -> 'asked' | 'unknown' | 'offline:<worker>'
function R.pull(x, request)
  local id, name = request.id, request.worker
  if not filled(name) then
    local session = R.job(x, id, 'w')[1]
    if not session then return 'unknown' end
    name = string.match(session, '^(.*)#') or session
  end
  local now = call('HGET', x.P .. 'names', name)
  if not now or not R.online(x, now) then return 'offline:' .. name end
  R.letter(x, now, {'k', 'pull', 'i', id, 't', request.ticket, 'a', int(request.attempt or 0)})
  return 'asked'
end

-- -> 'poured' | 'wait': the reader has not made room yet
function R.pour(x, ticket, kind, data)
  local key = x.P .. 'full:' .. ticket
  if call('XLEN', key) >= ROOM then return 'wait' end
  call('XADD', key, '*', kind, data)
  call('EXPIRE', key, LIFE_S)
  return 'poured'
end
