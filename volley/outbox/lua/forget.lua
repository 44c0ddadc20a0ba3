-- forget: campaigns that are over and old leave Redis; the ledger keeps them.
-- ARGV: sealed before µs, most campaigns in one call
-- Returns: campaigns that went
local gone = 0
local old = call('ZRANGEBYSCORE', K.campaigns, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for i = 1, #old do
  local cid = old[i]
  if not call('ZSCORE', K.live, cid) and call('EXISTS', K.final .. cid) == 0 then
    call('DEL', K.campaign .. cid, K.lanes .. cid)
    call('ZREM', K.campaigns, cid)
    gone = gone + 1
  end
end
return gone
