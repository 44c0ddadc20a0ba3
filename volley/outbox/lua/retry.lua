-- retry: messages of one chunk that failed for good become ready once more: the carrier refused them, or has said that it could not
-- deliver them. Only for the last who began to (`turn`), who has read in the ledger all that was known when they did: what another
-- one has made ready, and may have been sent since, is never taken for what had failed before; nor is what was delivered after all
-- since they began (receipts.lua keeps that for an hour).
-- ARGV: campaign, turn ('': a new one begins; nothing behind it: it ends), then moves, chunk, pin days, refs (18 bytes each) that
--       carry on from their last attempt, the state of each (one byte), the action to record ('' for none), carrier ids of their attempts so far
-- Returns: messages that are ready again, or the new turn; -1 where the chunk is not in Redis (restore it first), -2 where its
--          campaign is over, -3 where somebody else has begun since, or this one too long ago
local TURN_US, RETRIED_US = 1800000000, 8 * DAY_US

-- Those of so long ago go now; all of them where nobody retries anything any more.
local function remember(what, now)
  call('ZADD', K.retried, int(now), what)
  call('EXPIRE', K.retried, RETRIED_US / 1000000)
end

local cid, turn = ARGV[1], ARGV[2]
local c, now, moved = camp_of(cid), clock(), 0
if not c or c.st == 'c' or c.st == 'e' or (c.x > 0 and now >= c.x) then return -2 end
if turn == '' then
  call('ZREMRANGEBYSCORE', K.retried, '-inf', int(now - RETRIED_US))
  remember(cid, now)
  return call('HINCRBY', K.campaign .. cid, 'rn', 1)
end
local began = tonumber(call('ZSCORE', K.retried, cid) or nil)
if call('HGET', K.campaign .. cid, 'rn') ~= turn or not began or now - began > TURN_US then return -3 end
if #ARGV == 2 then return call('ZREM', K.retried, cid) end
learn_moves(ARGV[3])
local k, pin_days, refs, were = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
local chunk, today = chunk_of(cid, k), floor(now / DAY_US)
if not chunk then return -1 end
local planned = k < c.nx and not call('ZSCORE', K.parked .. cid, k)
for n = 1, #were do
  local ref, was = sub(refs, (n - 1) * REF_SIZE + 1, n * REF_SIZE), sub(were, n, n)
  local of, off = place_in(ref)
  local arrived = call('ZSCORE', K.heard, spot(cid, k, off) .. 'd')
  if of == k and not arrived and state_of(chunk, off) == was and move(chunk, off, '.') then
    tell(cid, k, off, '.', NOBODY, byte(ref, 8))
    begin_anew(spot(cid, k, off), byte(ref, 8), now)
    call('ZREM', K.heard, spot(cid, k, off)) -- a receipt of an attempt before
    if planned then requeue(c, ref, k, today, pin_days, false) end
    moved = moved + 1
  end
end
if moved == 0 then return 0 end
for i = 9, #ARGV do remember(ARGV[i], now) end
call('HDEL', K.final .. cid, k)
call('ZADD', K.live, 'NX', int(tonumber(call('ZSCORE', K.campaigns, cid) or now)), cid)
if c.x > 0 then call('ZADD', K.expiring, int(c.x), cid) end
if c.po then call('ZADD', K.reckon, 'NX', int(now), cid) end
save_told('redrive', now)
acted(ARGV[8])
save_chunks()
save_camps()
return moved
