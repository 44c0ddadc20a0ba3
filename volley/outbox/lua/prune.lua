-- prune: pins that are over. One bucket a call, as nobody waits for it.
-- ARGV: profile index, bucket, pin days
-- Returns: pins dropped
local key, today = K.pin .. ARGV[1] .. ':' .. ARGV[2], floor(clock() / DAY_US)
local held, dropped = call('HGETALL', key), 0
for i = 1, #held, 2 do
  if today - held[i + 1] % 100000 > tonumber(ARGV[3]) then dropped = dropped + call('HDEL', key, held[i]) end
end
return dropped
