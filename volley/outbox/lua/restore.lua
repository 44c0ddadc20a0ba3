-- restore: a chunk that has left Redis is there again, as the ledger kept it. One that is still there stays as it is.
-- ARGV: campaign, chunk, blob, states (one byte a message)
-- Returns: 1, or 0 where it is there
local cid, k = ARGV[1], ARGV[2]
if call('EXISTS', K.states .. cid .. ':' .. k) == 1 then return 0 end
call('SET', K.chunk .. cid .. ':' .. k, ARGV[3])
call('SET', K.states .. cid .. ':' .. k, ARGV[4])
call('HDEL', K.final .. cid, k)
return 1
