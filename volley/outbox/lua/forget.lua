-- forget: campaigns that are over and old leave Redis; the ledger keeps them. Recoveries of chunks are forgotten sooner.
-- ARGV: sealed before µs, most campaigns in one call
-- Returns: campaigns that went
--!flags allow-oom
local gone, forgotten = 0, {}
local old = call('ZRANGEBYSCORE', K.campaigns, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for i = 1, #old do
  local cid = old[i]
  if not call('ZSCORE', K.live, cid) and call('EXISTS', K.final .. cid) == 0 then
    call('DEL', K.campaign .. cid, K.lanes .. cid)
    call('ZREM', K.campaigns, cid)
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
