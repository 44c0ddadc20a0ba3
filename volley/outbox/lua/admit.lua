-- admit: one chunk of a push that is not sealed yet. Nothing of it can be sent before seal.
-- ARGV: campaign, chunk, blob, messages, ledger bound, high water of the memory (percent)
-- Returns: {'admitted'} | {'behind'} (the ledger; try again later) | {'full', percent} | {'gone'} (the push was given up or sealed)
local cid, k = ARGV[1], ARGV[2]
if call('XLEN', K.ledger) > tonumber(ARGV[5]) then return { 'behind' } end
if k ~= '0' and not call('ZSCORE', K.open, cid) or call('EXISTS', K.campaign .. cid) == 1 then return { 'gone' } end
local full = too_full(tonumber(ARGV[6]))
if full then return { 'full', full } end
call('ZADD', K.open, int(clock()), cid)
call('SET', K.chunk .. cid .. ':' .. k, ARGV[3])
call('SET', K.states .. cid .. ':' .. k, string.rep('.', tonumber(ARGV[4])))
return { 'admitted' }
