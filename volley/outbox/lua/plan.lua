-- plan: puts the messages of a campaign's next chunk, or of a parked one, into lanes. No other, so a plan that ran twice plans once.
-- ARGV: campaign, chunk, refs (18 bytes each, one a message, in order of offset), pin days
-- Returns: {1 planned | 0 not the next chunk or not to be sent any more, next chunk, chunks, refs in lanes, 1 where a drain is at work}
--!flags allow-oom
local cid, k, refs, pin_days = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local c = camp_of(cid)
if not c then return { 0, 0, 0, 0, 0 } end
local parked = c.po and call('ZREM', K.parked .. cid, k) == 1
if c.st == 'c' or c.st == 'e' or not parked and (c.nx ~= k or k >= c.ch) then return { 0, c.nx, c.ch, c.ln, 0 } end

local today = floor(clock() / DAY_US)
local lanes, owners = {}, {}
for at = 1, #refs, REF_SIZE do
  local ref = sub(refs, at, at + REF_SIZE - 1)
  local owner = owner_of(c, ref, k, today, pin_days)
  local lane = lanes[owner]
  if not lane then
    lane = {}
    lanes[owner] = lane
    owners[#owners + 1] = owner
  end
  lane[#lane + 1] = ref
end
for i = 1, #owners do push(c, owners[i], lanes[owners[i]]) end

if not parked then
  c.nx = k + 1
  call('HSET', K.campaign .. cid, 'next', c.nx)
end
if c.nx == c.ch and not (c.po and call('EXISTS', K.parked .. cid) == 1) then
  call('ZREM', K.unplanned, cid)
  call('ZREM', K.due, 'plan:' .. cid)
end
save_camps()
return { 1, c.nx, c.ch, c.ln + c.dln, call('ZSCORE', K.due, 'drain:0') and 1 or 0 }
