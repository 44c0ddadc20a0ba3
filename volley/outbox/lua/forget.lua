-- forget: campaigns that are over and old leave Redis; the ledger keeps them. Recoveries of chunks are forgotten sooner.
-- ARGV: sealed before µs, most campaigns in one call
-- Returns: campaigns that went, of some that are so old
--!flags allow-oom
local gone, forgotten = 0, {}

-- Chunks that ended without an entry of their own: put back by a rebuild or a redrive, and nothing of them was open.
local function drop_chunks(cid)
  for k = 0, tonumber(call('HGET', K.campaign .. cid, 'ch') or 0) - 1 do
    call('DEL', K.chunk .. cid .. ':' .. k, K.states .. cid .. ':' .. k)
  end
end

-- The oldest may be open for ever, as nobody learns what became of a message: those behind them go all the same.
local candidates = call('ZCOUNT', K.campaigns, '-inf', ARGV[1])
local from = candidates > tonumber(ARGV[2]) and clock() % candidates or 0
local old = call('ZRANGEBYSCORE', K.campaigns, '-inf', ARGV[1], 'LIMIT', int(from), ARGV[2])
for i = 1, #old do
  local cid = old[i]
  if not call('ZSCORE', K.live, cid) and call('EXISTS', K.final .. cid) == 0 then
    drop_chunks(cid)
    call('DEL', K.campaign .. cid, K.lanes .. cid, K.hours .. cid, K.parked .. cid)
    call('ZREM', K.campaigns, cid)
    call('ZREM', K.asleep, cid)
    call('HDEL', K.rates, 'c' .. cid)
    call('HDEL', K.tat, 'c' .. cid)
    forgotten[cid] = true
    gone = gone + 1
  end
end
local counts, stale = call('HGETALL', K.poison), clock() - POISON_US
for i = 1, #counts, 2 do
  local first = counts[i + 1]:match('^%d+ (%d+) ')
  if forgotten[sub(counts[i], 1, 16)] or (first and tonumber(first) < stale) then call('HDEL', K.poison, counts[i]) end
end
return gone
