-- retire: chunks in which nothing is open and whose last entry the recorder has committed.
-- ARGV: ledger entry id up to which all is committed, then campaigns
-- Returns: chunks that went
--!flags allow-oom
local function parts_of(id)
  local ms, seq = id:match('^(%d+)%-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local ms, seq = parts_of(ARGV[1])
local gone = 0
for i = 2, #ARGV do
  local cid = ARGV[i]
  local final = call('HGETALL', K.final .. cid)
  for j = 1, #final, 2 do
    local m, q = parts_of(final[j + 1])
    if m < ms or (m == ms and q <= seq) then
      call('DEL', K.chunk .. cid .. ':' .. final[j], K.states .. cid .. ':' .. final[j])
      call('HDEL', K.final .. cid, final[j])
      gone = gone + 1
    end
  end
  local n = call('HMGET', K.campaign .. cid, 'n.', 'ns', 'n?', 'gu', 'nz')
  -- what is unknown and was given up is over
  if tonumber(n[1] or 0) == 0 and tonumber(n[2] or 0) == 0 and tonumber(n[3] or 0) == tonumber(n[4] or 0) then
    if call('ZREM', K.live, cid) == 1 then happened(cid, 'finished') end
    call('ZREM', K.expiring, cid)
    call('ZREM', K.reckon, cid)
    call('DEL', K.lanes .. cid)
    -- somebody may still learn what became of it, or redrive it: it is kept, and listed, as any other campaign
    if (tonumber(n[3] or 0) > 0 or tonumber(n[5] or 0) > 0) and call('ZREM', K.gathered, cid) == 1 then
      call('ZADD', K.campaigns, int(cjson.decode(call('HGET', K.campaign .. cid, 'meta')).created_us), cid)
    end
  end
end
return gone
