-- rest: a bucket (a, p<profile index>, g<group>) or a sender (s<index>) is granted nothing until a moment, and says why.
-- A sender that rests long gives its waiting messages to others. A shorter rest changes nothing in a longer one.
-- ARGV: bucket, until µs, reason, how long a rest evicts a sender's lanes µs
-- Returns: 1, or 0 where it changes nothing
--!flags allow-oom
local name, until_us, reason = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local held = call('HGET', K.stops, name)
if held and tonumber(cjson.decode(held)['until']) >= until_us then return 0 end
if sub(name, 1, 1) == 's' then
  local s = sender_of(sub(name, 2))
  -- one that has left the pool is not brought back by the end of a rest
  if not s or not (s.active or held) then return 0 end
  if s.active then
    if until_us - clock() >= tonumber(ARGV[4]) then
      save_sender(s, 'x')
      leave_pool(s)
    else
      call('ZADD', K.pool .. s.home, 'XX', 'GT', int(until_us), s.idx)
    end
  end
else
  local tat = tonumber(call('HGET', K.tat, name) or 0)
  if until_us > tat then call('HSET', K.tat, name, int(until_us)) end
end
call('HSET', K.stops, name, cjson.encode({ reason = reason, ['until'] = int(until_us) }))
return 1
