-- What take stands on: campaigns that may not send for the moment, by their own terms. Such a campaign leaves each line in which
-- it is met, so that nobody walks past it again, and is woken when its moment comes: into as many lines as it may soon send from,
-- and where it still has not all it may have, soon after into twice as many.
local WOKEN, LINES, AGAIN_US = 20, 64, 20000
local sleeping = {} -- campaign → µs at which it wakes
local out = {} -- those of them that want no planning meanwhile

-- Until when it must wait; nil where it may go. Whoever waits for its cap alone is planned on all the same.
local function waits_until(c, limit)
  local terms = terms_of(c)
  if terms.start and terms.start > now then return terms.start, true end
  if c.budget and left_of(c) and c.broke then return math.huge, true end
  if c.quiet then
    local is_open, at = day_of(c, now)
    if not is_open then return at, true end
  end
  if terms.cap and too_far(terms.cap.tat, limit) then return terms.cap.tat, false end
end

-- Whether a campaign with terms may not go. It is written down when it is to be woken.
local function asleep(c, limit)
  local at, long = waits_until(c, limit)
  if not at then return false end
  sleeping[c.id], out[c.id] = at, long or nil
  return true
end

local function save_sleeping()
  for cid, at in pairs(sleeping) do
    if at < math.huge then call('ZADD', K.asleep, int(at), cid) else call('ZREM', K.asleep, cid) end
    if out[cid] then call('ZREM', K.unplanned, cid) end
  end
end

-- How many lines a campaign is woken into: at first what it may send of in one horizon; `at`: when it was to wake.
local function lines_for(c, at, horizon)
  local many, due = (call('HGET', K.campaign .. c.id, 'wk') or ''):match('^(%d+) (%d+)$')
  if due == at then return tonumber(many) end
  local cap = c.po and terms_of(c).cap
  return cap and cap.cost > 0 and min(LINES, 2 + floor(horizon / cap.cost)) or LINES
end

local function rouse(c, at, horizon)
  local many = lines_for(c, at, horizon)
  local owners = call('SRANDMEMBER', K.lanes .. c.id, many)
  for i = 1, #owners do
    if call('EXISTS', K.lane .. c.id .. ':' .. owners[i]) == 1 then
      mark_ready(c, owners[i])
    else
      call('SREM', K.lanes .. c.id, owners[i])
    end
  end
  local opens = c.quiet and tonumber(call('HGET', K.hours .. c.id, '>') or nil)
  if #owners == many then
    local again = int(now + AGAIN_US)
    call('HSET', K.campaign .. c.id, 'wk', 2 * many .. ' ' .. again)
    call('ZADD', K.asleep, again, c.id)
  elseif opens and opens > now then
    call('ZADD', K.asleep, int(opens), c.id)
  else
    call('ZREM', K.asleep, c.id)
  end
  if (c.nx < c.ch or opens and opens <= now) and not call('ZSCORE', K.unplanned, c.id) then
    call('ZADD', K.unplanned, planned_at(c.pr, now), c.id)
    call('ZADD', K.due, int(now), 'plan:' .. c.id)
  end
  if opens and opens <= now then call('HDEL', K.hours .. c.id, '>') end
end

-- A message that is met in a lane while its chunk's window is closed rests until that opens.
local function laid_by(c, ref)
  local is_open, at = chunk_open(c, place_in(ref), now)
  if is_open then return false end
  call('ZADD', K.later, int(at), c.id .. ref)
  return true
end

local function wake(horizon)
  local due = call('ZRANGEBYSCORE', K.asleep, '-inf', int(now), 'WITHSCORES', 'LIMIT', 0, WOKEN)
  for i = 1, #due, 2 do
    local c = camp_of(due[i])
    if not c or c.st ~= 'r' then
      call('ZREM', K.asleep, due[i])
    else
      local at = c.po and waits_until(c, now + horizon)
      if at == math.huge then call('ZREM', K.asleep, c.id)
      elseif at then call('ZADD', K.asleep, int(at), c.id)
      else rouse(c, due[i + 1], horizon)
      end
    end
  end
end

-- Whether the budget allows for the next message. Where it does not, the campaign stops with it, and says so once; `bz` is what
-- that message would cost.
local function affords(c, ref)
  local micros = estimate_of(c, ref)
  if micros <= left_of(c) then return true end
  c.broke = int(micros)
  local key = K.campaign .. c.id
  if call('HSETNX', key, 'bz', c.broke) == 1 and call('HSETNX', key, 'be', 1) == 1 then happened(c.id, 'budget_reached') end
  return false
end
