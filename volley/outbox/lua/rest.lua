-- rest: a bucket (a, p<profile index>, g<group>) or a sender (s<index>) is granted nothing until a moment, and says why.
-- A sender that rests long gives its waiting messages to others.
-- ARGV: bucket, until µs, reason, how long a rest evicts a sender's lanes µs
-- Returns: 1
--!flags allow-oom
local name, until_us, reason = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local now = clock()
if sub(name, 1, 1) == 's' then
  local idx = sub(name, 2)
  local s = sender_of(idx)
  if s then
    call('ZADD', K.pool .. s.home, 'XX', 'GT', int(until_us), idx)
    if until_us - now >= tonumber(ARGV[4]) then
      call('HSET', K.sender, idx, int(1000000000 / s.cost) .. ' ' .. s.p .. ' ' .. s.class .. ' x ' .. s.group)
      call('ZREM', K.pool .. s.home, idx)
      call('SADD', K.evict, idx)
    end
  end
else
  local tat = tonumber(call('HGET', K.tat, name) or 0)
  if until_us > tat then call('HSET', K.tat, name, int(until_us)) end
end
call('HSET', K.stops, name, cjson.encode({ reason = reason, ['until'] = int(until_us) }))
return 1
