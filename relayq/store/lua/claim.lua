-- claim: the best heads among the lanes that fit what is free, one after the other.
--
-- Lower score first. A queue's weight multiplies the age of its jobs. While more than one
-- share stands in line, the share that used least comes first. A lane with the key w in its
-- cost prefers other workers: heads younger than w are left to them.

local WIDE_LEAD = 120000

local function head_of(x, lane, cost)
  local head, score = R.head(x, lane)
  if head and cost.w then
    local age = R.age(x, R.job(x, head, 'y')[1])
    if age < cost.w then return nil, cost.w - age end
  end
  return head, score
end

local function weigh(x, queue, score)
  local weight = tonumber(x.weights[queue])
  if not weight or weight <= 0 then return score end
  return x.now - (x.now - score) * weight
end

-- {lane, cost, facts, head, rank, use} of a lane that could start its head now; else the wait
local function candidate(x, lane, cost)
  local facts = R.lane(x, lane)
  if x.paused[facts.q] then return end
  local head, score = head_of(x, lane, cost)
  if not head then return nil, score end
  local wait = R.blocked(x, facts)
  if wait then return nil, wait > 0 and wait or nil end
  return {lane = lane, cost = cost, facts = facts, head = head, rank = weigh(x, facts.q, score),
          use = filled(facts.s) and R.share_use(x, facts.s) or 0}
end

local function better(a, b)
  if a.use ~= b.use and filled(a.facts.s) and filled(b.facts.s) then return a.use < b.use end
  return a.rank < b.rank
end

local function best_of(list)
  local best
  for i = 1, #list do
    if not best or better(list[i], best) then best = list[i] end
  end
  return best
end

local function prepare(x)
  x.paused, x.weights = {}, fields(call('HGETALL', x.P .. 'qw'))
  for _, queue in ipairs(call('SMEMBERS', x.P .. 'paused')) do x.paused[queue] = true end
end

-- may this one still start its head, now that another was started that has limits or a share?
local function may_still(x, known, waits)
  local wait = R.blocked(x, known.facts)
  if wait and wait > 0 then waits[#waits + 1] = wait end
  known.use = filled(known.facts.s) and R.share_use(x, known.facts.s) or 0
  return not wait
end

-- the candidates left after one of them was started, which has another head now
local function relane(x, list, started, free, waits)
  local limited = started.facts.l or started.facts.r or filled(started.facts.s)
  local left = {}
  for _, known in ipairs(list) do
    if R.covers(free, known.cost) then
      if known == started then
        local again, wait = candidate(x, known.lane, known.cost)
        if again then left[#left + 1] = again elseif wait then waits[#waits + 1] = wait end
      elseif not limited or may_still(x, known, waits) then
        left[#left + 1] = known
      end
    end
  end
  return left
end

-- -> claims, waits (ms until something that may be claimable), rank of the best head left
function R.claim(x, session, request)
  prepare(x)
  local claims, waits, list, free = {}, {}, {}, request.free
  for _, pair in ipairs(request.lanes) do
    if R.covers(free, pair[2]) then
      local found, wait = candidate(x, pair[1], pair[2])
      if found then list[#list + 1] = found elseif wait then waits[#waits + 1] = wait end
    end
  end
  local first = best_of(list)
  local rank = first and first.rank
  while #claims < request.want do
    local best = best_of(list)
    if not best then break end
    claims[#claims + 1] = R.start(x, best.head, session, best.lane, best.facts)
    R.subtract(free, best.cost)
    list = relane(x, list, best, free, waits)
  end
  return claims, waits, rank
end

-- the best head that this worker could run if it were empty, when it out-ranks what fits by two minutes
function R.wide(x, request, rank)
  local best, lane
  for _, candidate_lane in ipairs(request.empty or {}) do
    local facts = R.lane(x, candidate_lane)
    if not x.paused[facts.q] and not R.blocked(x, facts) then
      local head = call('ZRANGE', x.P .. 'q:' .. candidate_lane, 0, 0, 'WITHSCORES')
      local score = head[1] and weigh(x, facts.q, tonumber(head[2]))
      if score and (not best or score < best) then best, lane = score, candidate_lane end
    end
  end
  if best and best + WIDE_LEAD < (rank or x.now) then return {lane, int(best)} end
  return {}
end
