-- lift: the rest of an account or a profile is over before its time.
-- ARGV: bucket (a, m, p<profile index>)
-- Returns: 1, or 0 where it does not rest
--!flags allow-oom
local name = ARGV[1]
if call('HDEL', K.stops, name) == 0 then
  as_it_was()
  return 0
end
call('HSET', K.tat, name, int(clock()))
return 1
