-- roster: who may do what in the fleet, signed by its owner (relayq/trust/roster.py).
--
-- roster  the signed bytes; the second word of the head is the version
-- The hub understands the version and nothing else. Only the owner may call this; whoever reads
-- it checks the signature.

function R.roster_version(x)
  return tonumber(string.match(call('GETRANGE', x.P .. 'roster', 0, 31), '^roster (%d+) ')) or 0
end

-- -> 'taken' | 'stale:<version that stands here>'
function R.put_roster(x, data)
  local have = R.roster_version(x)
  local version = tonumber(string.match(data, '^roster (%d+) ')) or 0
  if version <= have then return 'stale:' .. int(have) end
  call('SET', x.P .. 'roster', data)
  R.event(x, 'roster', int(version))
  return 'taken'
end
