-- rebuild: a campaign that Redis has lost is there again, at once and whole, once its chunks are (rebuild_chunk). Paused, or as
-- it had ended before; what is to be swept of it is.
-- ARGV: p paused | c cancelled | e expired, next chunk to plan, chunks in Redis (k k …), states of all other messages, as in
--       'a=12 x=3', created µs, parts that the carrier took, what they cost in micro-units, first and last sent µs, then as seal:
--       campaign, campaign JSON, idempotency key, content hash, key's life s, messages, chunks, weight, profile index,
--       priority, expiry µs, sender, fallback, MMS, what becomes of unknown messages, its own terms (terms.lua),
--       the price of a part (budget.lua), and then what was charged of its budget, '1' where it was gathered (see forget)
-- Returns: 'rebuilt' | 'there' | 'sum' (the states do not add up to what was accepted: nothing was done)
local st, nx, cid, now = ARGV[1], tonumber(ARGV[2]), ARGV[10], clock()
local key = K.campaign .. cid
if call('EXISTS', key) == 1 then return 'there' end

local n, total = {}, 0
for state, count in ARGV[4]:gmatch('(%S)=(%d+)') do n[state] = tonumber(count) end
for k in ARGV[3]:gmatch('%d+') do
  local text = call('GET', K.states .. cid .. ':' .. k) or ''
  for state in ('.?axoecz'):gmatch('.') do
    local _, found = text:gsub('[' .. state .. ']', '')
    n[state] = (n[state] or 0) + found
  end
end
for _, count in pairs(n) do total = total + count end
if total ~= tonumber(ARGV[15]) then return 'sum' end

local chunks, expires = tonumber(ARGV[16]), tonumber(ARGV[20])
if ARGV[12] ~= '' and tonumber(ARGV[14]) > 0 then
  call('SET', K.once .. ARGV[12], cid .. ' ' .. ARGV[13], 'NX', 'EX', ARGV[14])
end
call('HSETNX', K.server, 'run', run_id())
call('PERSIST', K.hours .. cid)
call('HSET', key, 'meta', ARGV[11], 'st', st, 'w', ARGV[17], 'p', ARGV[18], 'pr', ARGV[19], 'x', ARGV[20], 'ch', chunks,
     'next', nx, 'ln', 0, 'vf', 0, 'sd', ARGV[21], 'ou', ARGV[24], 'sp', ARGV[6], 'cm', ARGV[7])
for state, count in pairs(n) do call('HSET', key, 'n' .. state, count) end
call('HSET', key, 'pp', ARGV[26], 'bc', ARGV[27])
set_terms(cid, ARGV[25], now, true)
if ARGV[22] ~= '' then call('HSET', key, 'fb', ARGV[22]) end
if ARGV[23] ~= '' then call('HSET', key, 'mm', ARGV[23]) end
if ARGV[8] ~= '0' then call('HSET', key, 'f', ARGV[8], 'l', ARGV[9]) end
call('ZADD', ARGV[28] == '1' and K.gathered or K.campaigns, ARGV[5], cid)
call('ZADD', K.live, ARGV[5], cid)
if st == 'p' then
  if nx < chunks then call('ZADD', K.unplanned, planned_at(ARGV[19], now), cid) end
  if expires > 0 then call('ZADD', K.expiring, int(expires), cid) end
  call('XADD', K.ledger, '*', 'v', '1', 'k', 'campaign', 'c', cid, 's', 'paused', 't', int(now))
else
  call('HSET', key, 'sw', 0)
  call('ZADD', K.due, int(now), 'sweep:' .. cid)
end
return 'rebuilt'
