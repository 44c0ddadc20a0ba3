-- wake: rests that are over. Senders that had left the pool join it again.
-- ARGV: none
-- Returns: rests ended
--!flags allow-oom
local now, ended = clock(), 0
local all = call('HGETALL', K.stops)
for i = 1, #all, 2 do
  if tonumber(cjson.decode(all[i + 1])['until']) <= now then
    local name = all[i]
    call('HDEL', K.stops, name)
    ended = ended + 1
    local idx = sub(name, 1, 1) == 's' and sub(name, 2)
    local s = idx and sender_of(idx)
    if s and not s.active then
      save_sender(s, 'a')
      join_pool(s, now)
    end
  end
end
return ended
