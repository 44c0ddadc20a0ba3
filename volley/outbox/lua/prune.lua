-- prune: pins that are over. One bucket a call, as nobody waits for it.
-- ARGV: profile index, bucket, pin days
-- Returns: pins dropped
--!flags allow-oom
local bucket, today = tonumber(ARGV[2]), floor(clock() / DAY_US)
local key = K.pin .. ARGV[1] .. ':' .. char(floor(bucket / 256), bucket % 256)
local held, dropped = call('HGETALL', key), 0
for i = 1, #held, 2 do
  if today - held[i + 1] % 100000 > tonumber(ARGV[3]) then dropped = dropped + call('HDEL', key, held[i]) end
end
return dropped
