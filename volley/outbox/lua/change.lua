-- change: a campaign's terms from now on, on whichever worker. What was granted before is on its way.
-- ARGV: campaign, its new terms ('letter=value …', see terms.lua), priority u | b ('': as it is), expiry µs (0: never, '': as it is),
--       for the ledger: what changes, as JSON; the action to record ('' for none)
-- Returns: state now, or '' for an unknown campaign; c (cancelled) and e (expired) have not been changed
--!flags allow-oom
local cid, now = ARGV[1], clock()
local c = camp_of(cid)
if not c then return '' end
if c.st == 'c' or c.st == 'e' then return c.st end
local key = K.campaign .. cid

local function move_lines(pr)
  local owners = call('SMEMBERS', K.lanes .. cid)
  for i = 1, #owners do
    call('ZREM', K.ready .. c.pr .. ':' .. owners[i], cid)
    unmark(c.pr, owners[i])
  end
  c.pr, c.vf = pr, 0
  call('HSET', key, 'pr', pr, 'vf', 0)
  if call('ZSCORE', K.unplanned, cid) then call('ZADD', K.unplanned, planned_at(pr, now), cid) end
  for i = 1, #owners do
    if call('EXISTS', K.lane .. cid .. ':' .. owners[i]) == 1 then mark_ready(c, owners[i]) end
  end
end

set_terms(cid, ARGV[2], now)
if ARGV[3] ~= '' and ARGV[3] ~= c.pr then move_lines(ARGV[3]) end
if ARGV[4] ~= '' then
  call('HSET', key, 'x', ARGV[4])
  if ARGV[4] == '0' then call('ZREM', K.expiring, cid)
  elseif call('ZSCORE', K.live, cid) then call('ZADD', K.expiring, ARGV[4], cid) end -- what has finished does not expire
end
if c.st == 'r' then call('ZADD', K.asleep, int(now), cid) end -- it is looked at anew
happened(cid, 'changed', ARGV[5])
acted(ARGV[6])
return c.st
