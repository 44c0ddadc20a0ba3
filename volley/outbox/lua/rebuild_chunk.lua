-- rebuild_chunk: a chunk of a campaign that Redis has lost, as the ledger knows it. Nothing of it can be sent before rebuild.
-- ARGV: campaign, chunk, blob, states, offsets (I2 each) of those that became unknown by this,
--       then for every unknown message its doubt: offset I2 and DOUBT (see lib.lua)
-- Returns: 1, or 0 where the campaign is there
local cid, k, now = ARGV[1], tonumber(ARGV[2]), clock()
if call('EXISTS', K.campaign .. cid) == 1 then return 0 end
call('SET', K.chunk .. cid .. ':' .. k, ARGV[3])
call('SET', K.states .. cid .. ':' .. k, ARGV[4])
for at = 1, #ARGV[5], 2 do tell(cid, k, unpack_('>I2', ARGV[5], at), '?', NOBODY, 0) end
for i = 6, #ARGV do
  local place = spot(cid, k, unpack_('>I2', ARGV[i]))
  call('HSET', K.unknown, place, sub(ARGV[i], 3))
  call('ZADD', K.doubts, next_look(now, now), place)
end
save_told('rebuild', now)
return 1
