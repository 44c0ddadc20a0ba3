-- clock: looks at the server's clock. Where it was set, or another server with another clock has taken this one's place, all
-- that waits for a moment goes by the clock as it is now: else a step forward would let everybody send who has just sent, and
-- after one back nothing would go until the old time is reached again.
-- What had to wait at the last look still has to wait as long: too long by what has passed since, never too short. Whether a
-- clock was set forward or nobody looked for long is the same here. Takes are held until this has run (lib.lua, held).
-- ARGV: none
-- Returns: µs by which it jumped; 0: it runs on
--!flags allow-oom
local now = clock()
local seen = tonumber(call('HGET', K.server, 'seen') or nil)
call('HSET', K.server, 'seen', int(now))
if not clock_jumped(seen, now) then return 0 end
local back = now < seen

local function by_now(us) return int(us > seen and now + us - seen or min(us, now)) end

-- rates; what rests until a moment does so after a step forward too
local stops = call('HGETALL', K.stops)
local rests = {}
for i = 1, #stops, 2 do
  local stop = cjson.decode(stops[i + 1])
  rests[stops[i]] = true
  stop['until'] = by_now(tonumber(stop['until']))
  if back then call('HSET', K.stops, stops[i], cjson.encode(stop)) end
end
local tats = call('HGETALL', K.tat)
for i = 1, #tats, 2 do
  if back or not rests[tats[i]] then call('HSET', K.tat, tats[i], by_now(tonumber(tats[i + 1]))) end
end
for _, idx in ipairs(call('HKEYS', K.sender)) do
  local s = sender_of(idx)
  local tat = s and call('ZSCORE', K.pool .. s.home, idx)
  if tat and (back or not rests['s' .. idx]) then
    tat = by_now(tonumber(tat))
    call('ZADD', K.pool .. s.home, 'XX', tat, idx)
    call('ZADD', K.busy .. 'u:' .. s.p, 'XX', tat, idx)
    call('ZADD', K.busy .. 'b:' .. s.p, 'XX', tat, idx)
  end
end

if back then
  for _, key in ipairs({ K.flights, K.later, K.doubts, K.due, K.asleep }) do
    local found = call('ZRANGEBYSCORE', key, int(now), '+inf', 'WITHSCORES')
    for i = 1, #found, 2 do call('ZADD', key, 'XX', by_now(tonumber(found[i + 1])), found[i]) end
  end
  for key, fields in pairs({ [K.server] = { 'until', 'spare', 'swept' }, [K.circuit] = { 'until', 'at', 'since' } }) do
    for _, field in ipairs(fields) do
      local us = call('HGET', key, field)
      if us then call('HSET', key, field, by_now(tonumber(us))) end
    end
  end
end
return int(now - seen)
