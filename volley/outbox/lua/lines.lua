-- What take stands on: whose turn it is, by start-time fair queueing among the campaigns that stand at an owner's lane.
local lines, lanes_read = {}, {}

-- The first of those in line, and the first MMS, which stand behind all others.
local function read_line(line, limit)
  line.ids, line.left = call('ZRANGE', line.key, 0, 15), false
  line.reads = (line.reads or 0) + 1
  line.more = #line.ids == 16 and line.reads < want -- those that left may be very many
  if #line.ids == 16 and not mms_full(limit) then
    local held = {}
    for i = 1, 16 do held[line.ids[i]] = true end
    for _, cid in ipairs(call('ZRANGEBYSCORE', line.key, int(BEHIND), '+inf', 'LIMIT', 0, 16)) do
      if not held[cid] then line.ids[#line.ids + 1] = cid end
    end
  end
  return line
end

local function line_of(pr, owner, limit)
  local key = K.ready .. pr .. ':' .. owner
  if not lines[key] then lines[key] = read_line({ key = key, owner = owner, pr = pr, lanes = {} }, limit) end
  return lines[key]
end

local function leave(line, i)
  call('ZREM', line.key, line.ids[i])
  table.remove(line.ids, i)
  line.left = true
end

-- The campaign in this line with the smallest start tag; those that may not send leave the line. MMS stay in it while
-- their bucket is full, and where nothing else stands there the line is `dry`.
local function next_in(line, virtual, limit)
  if line.dry then return nil end
  local best, best_tag, held
  repeat
    local i = 1
    while i <= #line.ids do
      local c = camp_of(line.ids[i])
      if not c or c.st ~= 'r' or (c.x > 0 and now >= c.x) or (c.po and asleep(c, limit)) then
        leave(line, i)
      else
        if c.mm and mms_full(limit) then
          held = true
        else
          local tag = max(virtual, c.vf)
          if not best or tag < best_tag then best, best_tag = i, tag end
        end
        i = i + 1
      end
    end
  until best or not (line.more and line.left and read_line(line, limit))
  line.dry = held and not best and not line.left
  return best, best_tag
end

-- Reads refs of a lane: few at first, as very many lanes may be read for one message each.
local function buffer_of(line, cid, n)
  local b = line.lanes[cid]
  if not b then
    local key = K.lane .. cid .. ':' .. line.owner
    local refs = call('LRANGE', key, 0, n - 1)
    b = { key = key, at = 0, from = 0, refs = refs, size = #refs, n = n }
    line.lanes[cid] = b
    lanes_read[#lanes_read + 1] = b
  elseif b.at - b.from >= b.size and b.size == b.n then
    n = min(want, max(n, 2 * b.n))
    b.from = b.at
    b.refs = call('LRANGE', b.key, b.at, b.at + n - 1)
    b.size, b.n = #b.refs, n
  end
  return b
end
