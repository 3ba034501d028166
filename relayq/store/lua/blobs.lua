-- blobs: input and output files by the SHA-256 of their content, kept once however many jobs use them.
--
-- b:<digest>  the content          bn  digest -> how many jobs refer to it
-- io:<id>     digests a job refers to      o:<id>  output name -> '<digest> <bytes>'
-- A blob that no job refers to, not yet or no longer, goes within the hour. The hub cannot
-- check a digest (it has no SHA-256): whoever fetches a blob does.

local LOOSE_S = 3600

-- without data it only asks  -> 'stored' | 'have' | 'none' | 'full'
function R.put_blob(x, digest, data)
  local key = x.P .. 'b:' .. digest
  if call('EXISTS', key) == 1 then
    if call('TTL', key) >= 0 then call('EXPIRE', key, LOOSE_S) end
    return 'have'
  end
  if not data then return 'none' end
  if R.full(x) then return 'full' end
  call('SET', key, data, 'EX', LOOSE_S)
  return 'stored'
end

-- the first of these blobs that the hub has not, or nil
function R.missing_blob(x, digests)
  for _, digest in ipairs(digests or {}) do
    if call('EXISTS', x.P .. 'b:' .. digest) == 0 then return digest end
  end
end

function R.refer(x, id, digests)
  for _, digest in ipairs(digests or {}) do
    if call('SADD', x.P .. 'io:' .. id, digest) == 1 then
      call('HINCRBY', x.P .. 'bn', digest, 1)
      call('PERSIST', x.P .. 'b:' .. digest)
    end
  end
end

-- a job's share of the files it refers to
function R.file_bytes(x, id)
  local bytes = 0
  for _, digest in ipairs(call('SMEMBERS', x.P .. 'io:' .. id)) do
    bytes = bytes + call('STRLEN', x.P .. 'b:' .. digest) / (tonumber(call('HGET', x.P .. 'bn', digest)) or 1)
  end
  return math.floor(bytes)
end

function R.unrefer(x, id)
  for _, digest in ipairs(call('SMEMBERS', x.P .. 'io:' .. id)) do
    if call('HINCRBY', x.P .. 'bn', digest, -1) <= 0 then
      call('HDEL', x.P .. 'bn', digest)
      call('EXPIRE', x.P .. 'b:' .. digest, LOOSE_S)
    end
  end
  call('UNLINK', x.P .. 'io:' .. id, x.P .. 'o:' .. id)
end

-- is everything here that an attempt left? It may have been put here more than an hour ago
function R.has_outputs(x, outputs)
  for _, output in ipairs(outputs or {}) do
    if call('EXISTS', x.P .. 'b:' .. output[2]) == 0 then return false end
  end
  return true
end

-- what a succeeded attempt left, in place of what an earlier one did: {{name, digest, bytes}...}
function R.keep_outputs(x, id, outputs)
  if not outputs then return end
  local digests = {}
  call('DEL', x.P .. 'o:' .. id)
  for i, output in ipairs(outputs) do
    call('HSET', x.P .. 'o:' .. id, output[1], output[2] .. ' ' .. int(output[3]))
    digests[i] = output[2]
  end
  R.refer(x, id, digests)
  if #digests > 0 then R.left_by(x, id) end
end
