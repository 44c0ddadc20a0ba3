-- halt: all sending of the account stops, or goes on. From this moment on, and until it goes on, take and repeat grant nothing.
-- ARGV: 1 (stop) | 0 (go on), who and why, until µs that nobody will see, the action to record where it changes something ('' for none)
-- Returns: {1, or 0 where it was so already, messages in flight}
--!flags allow-oom
local stop, changed = ARGV[1] == '1', 0
if stop then
  changed = call('HSETNX', K.stops, 'h', cjson.encode({ reason = ARGV[2], since = int(clock()), ['until'] = ARGV[3] }))
else
  changed = call('HDEL', K.stops, 'h')
end
if changed == 1 then acted(ARGV[4]) else as_it_was() end
local flying = 0
for _, cid in ipairs(call('ZRANGE', K.live, 0, -1)) do
  local n = call('HMGET', K.campaign .. cid, 'ns', 'rf')
  flying = flying + tonumber(n[1] or 0) + tonumber(n[2] or 0)
end
return { changed, flying }
