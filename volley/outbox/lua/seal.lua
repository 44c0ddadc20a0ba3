-- seal: the push becomes a campaign, at once and whole, unless its idempotency key has one already.
-- ARGV: campaign, campaign JSON, idempotency key ('' for none), content hash, key's life s, messages, chunks, weight,
--       profile, priority u|b, expiry µs (0: never), explicit sender's index ('' for the pool),
--       its fallback ('' or 'index prefix=1 prefix=0 …': 1 where the fallback sends), '1' for MMS or '',
--       what becomes of unknown messages (h hold, r retry, g give up), its own terms (terms.lua), the
--       price of a part (budget.lua), and last the keys that it claims beside its own (JSON key → what is kept behind the
--       campaign's id; '' for none), the action to record ('' for none) and the
--       high water of the memory (percent)
-- Returns: {'sealed', campaign} | {'existing', campaign} | {'conflict', campaign} | {'gone', ''} | {'full', percent} |
--          {'taken', key}: one of those to claim is in use | {'unknown', ''}: no such profile
local cid, key, hash = ARGV[1], ARGV[3], ARGV[4]
if call('EXISTS', K.campaign .. cid) == 1 then -- the answer to the first seal was lost
  as_it_was()
  return { 'existing', cid }
end
if not call('ZSCORE', K.open, cid) then return { 'gone', '' } end
local messages = 0
for k = 0, ARGV[7] - 1 do messages = messages + call('STRLEN', K.states .. cid .. ':' .. k) end
if messages ~= tonumber(ARGV[6]) then return { 'gone', '' } end
local profile = call('HGET', K.profile, ARGV[9])
if not profile then return { 'unknown', '' } end
local now = clock()
if key ~= '' then
  local held = call('GET', K.once .. key)
  if held then
    as_it_was()
    return { sub(held, 18) == hash and 'existing' or 'conflict', sub(held, 1, 16) }
  end
end
local claims = ARGV[#ARGV - 2] ~= '' and cjson.decode(ARGV[#ARGV - 2]) or {}
for name in pairs(claims) do
  if call('EXISTS', K.once .. name) == 1 then return { 'taken', name } end
end
local full = too_full(tonumber(ARGV[#ARGV]))
if full then return { 'full', int(full) } end
if key ~= '' then
  call('SET', K.once .. key, cid .. ' ' .. hash, 'EX', ARGV[5])
end
for name, kept in pairs(claims) do call('SET', K.once .. name, cid .. ' ' .. kept, 'EX', ARGV[5]) end
call('ZREM', K.open, cid)
call('PERSIST', K.hours .. cid)
call('HSETNX', K.server, 'run', run_id()) -- a history without it holds no campaign; see held
call('HSET', K.campaign .. cid, 'meta', ARGV[2], 'st', 'r', 'w', ARGV[8], 'p', profile, 'pr', ARGV[10], 'x', ARGV[11],
     'ch', ARGV[7], 'next', 0, 'ln', 0, 'vf', 0, 'sd', ARGV[12], 'n.', ARGV[6], 'ou', ARGV[15])
if ARGV[13] ~= '' then call('HSET', K.campaign .. cid, 'fb', ARGV[13]) end
if ARGV[14] ~= '' then call('HSET', K.campaign .. cid, 'mm', ARGV[14]) end
call('ZADD', next(claims) and K.gathered or K.campaigns, int(now), cid)
call('ZADD', K.live, int(now), cid)
if ARGV[17] ~= '' then call('HSET', K.campaign .. cid, 'pp', ARGV[17]) end
set_terms(cid, ARGV[16], now, true)
local start = tonumber(ARGV[16]:match('t=(%d+)') or 0)
if start > now then
  call('ZADD', K.asleep, int(start), cid)
else
  call('ZADD', K.unplanned, planned_at(ARGV[10], now), cid)
  call('ZADD', K.due, int(now), 'plan:' .. cid)
end
if ARGV[11] ~= '0' then call('ZADD', K.expiring, ARGV[11], cid) end
call('XADD', K.ledger, '*', 'v', '1', 'k', 'sealed', 'c', ARGV[2])
acted(ARGV[#ARGV - 1])
return { 'sealed', cid }
