-- spent: what is known anew of a campaign's spending. It goes on if it had come to the end of its budget, and the message that was
-- too dear is not any more.
-- ARGV: campaign, micro-units by which its costs differ from its estimates ('': as before), micro-units that had been charged before it
--       had a budget ('': they are known), for which turn that was counted (bn)
-- Returns: micro-units left, '' for a campaign without a budget
--!flags allow-oom
local cid, key = ARGV[1], K.campaign .. ARGV[1]
if call('HEXISTS', key, 'tb') == 0 then return '' end
if ARGV[2] ~= '' then call('HSET', key, 'bd', ARGV[2]) end
if ARGV[3] ~= '' and call('HGET', key, 'bn') == ARGV[4] then
  call('HDEL', key, 'bn')
  call('HINCRBY', key, 'bc', ARGV[3])
  call('HDEL', key, 'bz')
  call('ZADD', K.asleep, int(clock()), cid)
end
local f = call('HMGET', key, 'tb', 'bc', 'bd', 'bn', 'bz')
local left = tonumber(f[1]) - tonumber(f[2] or 0) - tonumber(f[3] or 0)
if f[5] and not f[4] and left >= tonumber(f[5]) then
  call('HDEL', key, 'bz')
  call('ZADD', K.asleep, int(clock()), cid)
end
return int(left)
