-- control: pause or resume. A paused campaign is granted nothing from this moment on; its lanes stay as they are.
-- ARGV: campaign, p (pause) | r (resume), the action to record, if it changes something ('' for none), why it pauses by itself ('')
-- Returns: {state now or '' for an unknown campaign, messages in flight}. 'f': it has finished, and there is nothing to pause: a
-- pause would be told of as if it held something, and hold what a retry makes ready later.
--!flags allow-oom
local cid, new = ARGV[1], ARGV[2]
local c = camp_of(cid)
if not c then return { '', 0 } end
local n = call('HMGET', K.campaign .. cid, 'ns', 'rf', 'n.', 'n?')
local flying = tonumber(n[1] or 0) + tonumber(n[2] or 0)
-- what is unknown and was given up is over
if new == 'p' and c.st == 'r' and flying + tonumber(n[3] or 0) == 0 and tonumber(n[4] or 0) <= c.gu then return { 'f', 0 } end
if (new == 'p' and c.st == 'r') or (new == 'r' and c.st == 'p') then
  local now = clock()
  call('HSET', K.campaign .. cid, 'st', new)
  call('XADD', K.ledger, '*', 'v', '1', 'k', 'campaign', 'c', cid, 's', new == 'p' and 'paused' or 'resumed', 't', int(now))
  acted(ARGV[3])
  if new == 'p' and ARGV[4] ~= '' then
    call('HSET', K.campaign .. cid, 'py', ARGV[4], 'ab', '?') -- judged anew from when it is resumed
    happened(cid, 'auto_paused', cjson.encode({ why = ARGV[4] }))
  elseif new == 'r' then
    call('HDEL', K.campaign .. cid, 'py')
  end
  c.st = new
  if new == 'r' then
    local owners = call('SMEMBERS', K.lanes .. cid)
    for i = 1, #owners do
      if call('EXISTS', K.lane .. cid .. ':' .. owners[i]) == 1 then mark_ready(c, owners[i]) end
    end
    if c.po then call('ZADD', K.asleep, int(now), cid) end
    if c.nx < c.ch then call('ZADD', K.due, int(now), 'plan:' .. cid) end
  end
else
  as_it_was()
end
return { c.st, flying }
