-- redrive: dead messages of one chunk, provably never sent, become ready once more and go back into line.
-- ARGV: moves, campaign, chunk, pin days, refs (18 bytes each) that carry on from their last attempt, the action to record, if
--       anything becomes ready ('' for none)
-- Returns: messages that are ready again; -1 where the chunk is not in Redis (restore it first), -2 where its campaign is over
learn_moves(ARGV[1])
local cid, k, pin_days, refs = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local c, now, moved = camp_of(cid), clock(), 0
if not c or c.st == 'c' or c.st == 'e' or (c.x > 0 and now >= c.x) then return -2 end
local chunk, today = chunk_of(cid, k), floor(now / DAY_US)
if not chunk then return -1 end
for at = 1, #refs, REF_SIZE do
  local ref = sub(refs, at, at + REF_SIZE - 1)
  local of, off = place_in(ref)
  if of == k and state_of(chunk, off) == 'z' and move(chunk, off, '.') then
    tell(cid, k, off, '.', NOBODY, byte(ref, 8))
    begin_anew(spot(cid, k, off), byte(ref, 8), now)
    if k < c.nx and not call('ZSCORE', K.parked .. cid, k) then requeue(c, ref, k, today, pin_days, false) end -- else it is planned with its chunk
    moved = moved + 1
  end
end
if moved == 0 then return 0 end
call('HDEL', K.final .. cid, k)
call('HDEL', K.poison, cid .. ':' .. k)
call('ZADD', K.live, 'NX', int(tonumber(call('ZSCORE', K.campaigns, cid) or now)), cid)
if c.x > 0 then call('ZADD', K.expiring, int(c.x), cid) end
if c.po then call('ZADD', K.reckon, 'NX', int(now), cid) end
save_told('redrive', now)
acted(ARGV[6])
save_chunks()
save_camps()
return moved
