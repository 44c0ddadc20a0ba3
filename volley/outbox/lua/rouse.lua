-- rouse: a piece of what rests in `later` for quiet hours that its campaign has no more. Whatever was tried rests for another reason,
-- and no longer than LONG_US. The caller goes on until all was looked at: a million of them at once would hold up everybody.
-- ARGV: campaign, cursor ('0': from the beginning)
-- Returns: the next cursor, '0' after the last piece
--!flags allow-oom
local LONG_US, PIECE = 120000000, 2000
local cid, now = ARGV[1], clock()
local found = call('ZSCAN', K.later, ARGV[2], 'MATCH', cid .. '*', 'COUNT', PIECE)
local rests = found[2]
for i = 1, #rests, 2 do
  if byte(rests[i], 24) == 0 or tonumber(rests[i + 1]) > now + LONG_US then call('ZADD', K.later, int(now), rests[i]) end
end
return found[1]
