-- withdraw: senders are granted nothing more, and what waits for them moves to others. The next sync brings back those
-- that are in the profile then.
-- ARGV: number, profile id; for each of them
-- Returns: how many of them were in a pool
--!flags allow-oom
local were = 0
for i = 1, #ARGV, 2 do
  local field = field_of(ARGV[i], ARGV[i + 1])
  local info = call('HGET', K.senderinfo, field)
  local s = info and sender_of(tostring(cjson.decode(info).index))
  if s then
    if s.active then were = were + 1 end
    leave_pool(s)
    save_sender(s, 'x')
    call('HDEL', K.stops, 's' .. s.idx)
    info = info:gsub('"active":true', '"active":false', 1)
    info = info:gsub('"reason":""', '"reason":"it is being taken out of the profile"', 1)
    call('HSET', K.senderinfo, field, info)
  end
end
return were
