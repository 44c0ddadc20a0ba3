-- What scripts stand on that look at quiet hours: the windows of a campaign, which Python has reckoned (volley/outbox/hours.py) for
-- each group of time zones. A chunk is of one group. A campaign whose windows nobody knows is closed.
local UNKNOWN_US = 30000000 -- where no window is known, somebody is about to reckon them

-- 'begin-end begin-end …' in seconds: whether a moment lies within, and else when the next one begins, µs.
local function open_at(text, now)
  for begins, ends in (text or ''):gmatch('(%d+)-(%d+)') do
    if now < begins * 1000000 then return false, begins * 1000000 end
    if now < ends * 1000000 then return true end
  end
  return false, now + UNKNOWN_US
end

local function hours_of(c)
  if not c.hours then
    local held = call('HMGET', K.hours .. c.id, '*', 'of', 'n')
    c.hours = { union = held[1], of = held[2] or '', n = tonumber(held[3] or 0), groups = {} }
  end
  return c.hours
end

-- Whether anything of a campaign may go now; else from when on.
local function day_of(c, now) return open_at(hours_of(c).union, now) end

local function group_open(c, group, now)
  local hours = hours_of(c)
  local text = hours.groups[group]
  if text == nil then
    text = call('HGET', K.hours .. c.id, group) or ''
    hours.groups[group] = text
  end
  return open_at(text, now)
end

local function group_in(c, k)
  local high, low = byte(hours_of(c).of, 2 * k + 1, 2 * k + 2)
  return low and int(high * 256 + low) or 'none'
end

-- Whether people of this chunk may get something now; else from when on.
local function chunk_open(c, k, now) return group_open(c, group_in(c, k), now) end
