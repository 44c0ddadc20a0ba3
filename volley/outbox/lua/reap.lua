-- reap: flights whose worker has not settled them in time. Nobody knows whether their messages went out: they become
-- unknown, never ready; those that a receipt has told of are submitted. A repeat leaves its message as
-- unknown as it was. A chunk that is recovered again and again is set aside (poison.lua).
-- ARGV: moves, most flights in one call, a flight's life µs
-- Returns: {messages that were given up, flights that are of a newer release and left to it}
--!flags allow-oom
learn_moves(ARGV[1])
local now, reaped = clock(), 0
local AWAY_US, HEARD_US = 5000000, 600000000

-- Whether their workers may have been unable to speak, and are about to: this is another server, or it stood still, as nobody
-- has swept for so long.
local function excused()
  if held(now) then return true end
  local known = call('HMGET', K.server, 'swept', 'spare')
  call('HSET', K.server, 'swept', int(now))
  if known[1] and now - known[1] > AWAY_US then
    call('HSET', K.server, 'spare', int(now + HOLD_US))
    return true
  end
  return now < tonumber(known[2] or 0)
end
if excused() then return { 0, 0 } end
local newer = 0

local tokens = call('ZRANGEBYSCORE', K.flights, '-inf', int(now), 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[2]))
for i = 1, #tokens, 2 do
  local taken = tokens[i + 1] - ARGV[3]
  local text = call('GET', K.flight .. tokens[i])
  local flight = text and open_flight(text)
  if text and not flight then newer = newer + 1 end
  for pos = 0, (flight and flight.n or 0) - 1 do
    local kind, at = sub(flight.mask, pos + 1, pos + 1), flight.records + pos * RECORD_SIZE
    if kind ~= '-' then
      local idx, camp, k, off, parts, attempt = unpack_(RECORD, text, at)
      local chunk = chunk_of(flight.ids[camp + 1], k)
      local heard = kind == 's' and chunk and call('ZSCORE', K.heard, spot(chunk.cid, k, off))
      local new = heard and 'a' or '?'
      if kind == 'r' then
        local c = camp_of(flight.ids[camp + 1])
        if c then doubt_again(c, spot(c.id, k, off), now, true, true, 0) end
      elseif chunk and move(chunk, off, new) then
        tell(chunk.cid, k, off, new, idx, attempt)
        if new == 'a' then sent_parts(camp_of(chunk.cid), parts)
        else doubt(chunk, off, sub(text, at, at + RECORD_SIZE - 1), tokens[i + 1], now) end
        recover(chunk, taken)
        reaped = reaped + 1
      end
    end
  end
  if flight or not text then
    call('DEL', K.flight .. tokens[i])
    call('ZREM', K.flights, tokens[i])
  end
end
-- what receipts told of flights that are long over, once nothing is overdue that it may decide
if #tokens < 2 * ARGV[2] then call('ZREMRANGEBYSCORE', K.heard, '-inf', int(now - max(HEARD_US, 4 * ARGV[3]))) end
local entry = save_told('reap', now)
count_recoveries(now)
save_chunks(save_told('poison', now) or entry)
save_camps()
return { reaped, newer }
