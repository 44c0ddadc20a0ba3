-- following: which chunk of a campaign is to be planned next: the first parked one whose window is open, or the first that nobody has
-- planned. Those before it whose windows are closed are parked until they open.
-- ARGV: campaign
-- Returns: chunk, or -1: nothing is to be planned now
--!flags allow-oom
local MOST = 2000
local cid, now = ARGV[1], clock()
local c = camp_of(cid)
if not c or (c.st ~= 'r' and c.st ~= 'p') then return -1 end
if not c.po then return c.nx < c.ch and c.nx or -1 end
local start = c.po:find('t', 1, true) and tonumber(call('HGET', K.campaign .. cid, 'tt'))
if start and start > now then
  call('ZREM', K.unplanned, cid) -- it is woken then; meanwhile nobody is to ask again and again
  call('ZADD', K.asleep, int(start), cid)
  return -1
end

local quiet = c.po:find('q', 1, true)
local opens

-- An open parked chunk; `opens` is when the next window does of those in which something is parked.
local function unparked()
  if call('EXISTS', K.parked .. cid) == 0 then return nil end
  for group = 0, hours_of(c).n - 1 do
    local first = call('ZRANGEBYSCORE', K.parked .. cid, group, group, 'LIMIT', 0, 1)[1]
    if first then
      local is_open, at = true, nil
      if quiet then is_open, at = group_open(c, int(group), now) end
      if is_open then return tonumber(first) end
      opens = min(opens or at, at)
    end
  end
end

local found, parked = unparked(), 0
while not found and c.nx < c.ch and parked < MOST do
  local is_open, at = true, nil
  if quiet then is_open, at = chunk_open(c, c.nx, now) end
  if is_open then
    found = c.nx
  else
    call('ZADD', K.parked .. cid, group_in(c, c.nx), c.nx)
    opens, parked, c.nx = min(opens or at, at), parked + 1, c.nx + 1
  end
end
if parked > 0 then call('HSET', K.campaign .. cid, 'next', c.nx) end
if found then return found end
if c.nx < c.ch then return -1 end -- so many were parked: once more, soon
call('ZREM', K.unplanned, cid)
if opens then
  call('HSET', K.hours .. cid, '>', int(opens))
  local wakes = call('ZSCORE', K.asleep, cid)
  if not wakes or tonumber(wakes) > opens then call('ZADD', K.asleep, int(opens), cid) end
end
return -1
