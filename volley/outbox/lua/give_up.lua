-- give_up: closes the doubts of campaigns that would rather lose a message than send it twice, once their time for an answer is
-- over. The messages stay unknown; nothing more happens to them but that the carrier may still tell of one.
-- ARGV: how long after it became unknown a message is given up µs, most doubts in one call
-- Returns: messages given up
--!flags allow-oom
local now, closed = clock(), 0
local due = call('ZRANGEBYSCORE', K.doubts, '-inf', int(now), 'LIMIT', 0, tonumber(ARGV[2]))
for i = 1, #due do
  local place = due[i]
  local cid, k, off = sub(place, 1, 16), unpack_('>I4I2', place, 17)
  local c, text = camp_of(cid), call('HGET', K.unknown, place)
  if c and c.ou == 'g' and text and now - unpack_('>I8', text, 18) >= tonumber(ARGV[1]) then
    call('HDEL', K.unknown, place)
    call('ZREM', K.doubts, place)
    local chunk = chunk_of(cid, k)
    if chunk and state_of(chunk, off) == '?' then
      change(chunk, off, '?')
      chunk.ended = true
      tally(c, 'gu', 1)
      if byte(text, -1) > 0 then tally(c, 'pt', 1) end
      tell(cid, k, off, '?', NOBODY, 0)
      closed = closed + 1
    end
  end
end
save_chunks(save_told('give_up', now))
save_camps()
return closed
