-- abandon: drops what a push that is not sealed has stored. A sealed campaign is left alone.
-- ARGV: campaign
-- Returns: chunks dropped; -1: it is sealed
--!flags allow-oom
local cid, k = ARGV[1], 0
if call('EXISTS', K.campaign .. cid) == 1 then
  call('ZREM', K.open, cid)
  return -1
end
while call('DEL', K.states .. cid .. ':' .. k) == 1 do
  call('DEL', K.chunk .. cid .. ':' .. k)
  k = k + 1
end
call('DEL', K.hours .. cid)
call('ZREM', K.reckon, cid)
call('ZREM', K.open, cid)
return k
