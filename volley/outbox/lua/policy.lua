-- policy: what becomes of a campaign's unknown messages from now on; their doubts are due.
-- ARGV: campaign, h (hold) | r (retry) | g (give up), unknown messages of it, 22 bytes each, the action to record ('' for none)
-- Returns: {1 or 0 for an unknown campaign, how many of the messages are unknown still}
--!flags allow-oom
local cid, due = ARGV[1], 0
if call('EXISTS', K.campaign .. cid) == 0 then return { 0, 0 } end
call('HSET', K.campaign .. cid, 'ou', ARGV[2])
acted(ARGV[4])
local now = clock()
for at = 1, #ARGV[3], 22 do
  local place = sub(ARGV[3], at, at + 21)
  if call('HEXISTS', K.unknown, place) == 1 then due = due + 1 end
  call('ZADD', K.doubts, 'XX', int(now), place) -- one whose repeat flies is in no line
end
return { 1, due }
