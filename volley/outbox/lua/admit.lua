-- admit: one chunk of a push that is not sealed yet. Nothing of it can be sent before seal.
-- ARGV: campaign, chunk, blob, messages, ledger bound
-- Returns: 1, or 0 when the ledger is behind (try again later), or -1 when the push was given up or sealed (begin again)
local cid, k = ARGV[1], ARGV[2]
if call('XLEN', K.ledger) > tonumber(ARGV[5]) then return 0 end
if k ~= '0' and not call('ZSCORE', K.open, cid) or call('EXISTS', K.campaign .. cid) == 1 then return -1 end
call('ZADD', K.open, int(clock()), cid)
call('SET', K.chunk .. cid .. ':' .. k, ARGV[3])
call('SET', K.states .. cid .. ':' .. k, string.rep('.', tonumber(ARGV[4])))
return 1
