-- rates: how fast buckets may go.
-- ARGV: bucket, parts per 1,000 s ('' for one that has no limit any more), for each of them
-- Returns: how many are set
--!flags allow-oom
local set = 0
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    call('HDEL', K.rates, ARGV[i])
  else
    call('HSET', K.rates, ARGV[i], ARGV[i + 1])
    set = set + 1
  end
end
return set
