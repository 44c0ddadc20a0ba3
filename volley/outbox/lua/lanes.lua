-- Which lane a message waits in: by its campaign's sender, the person's pin, or the classes that may serve its country.
-- volley/outbox/classes.py writes classes and routes.
-- classes and routes ------------------------------------------------------------------------------------------------
local class_lists, route_lists, prefix_tables = {}, {}, {}

-- The classes of a profile with the running sum of their weights; `has` knows them by name, `nobody` is the class of those
-- whom no sender may serve. Only where it says `routed` do countries differ, and is there more to read.
local function classes_of(p)
  local list = class_lists[p]
  if not list then
    local text = call('HGET', K.classes, p) or 'any 1'
    list = { total = 0, has = {}, loose = text:find(' nopins', 1, true), routed = text:find(' routed', 1, true) }
    for class, weight in text:gmatch('(%S+) (%d+)') do
      list.total = list.total + weight
      list[#list + 1] = { class, list.total, tonumber(weight) }
      list.has[class] = true
      if sub(class, 1, 7) == 'nobody~' then list.nobody = class end
    end
    class_lists[p] = list
  end
  return list
end

-- 'prefix=value prefix=value …', to be asked by value_of.
local function prefixes_of(text)
  local t = prefix_tables[text]
  if not t then
    t = { of = {}, lengths = {} }
    local seen = {}
    for prefix, value in text:gmatch('(%d+)=(%d+)') do
      t.of[prefix] = tonumber(value)
      if not seen[#prefix] then
        seen[#prefix] = true
        t.lengths[#t.lengths + 1] = #prefix
      end
    end
    table.sort(t.lengths, function(a, b) return a > b end)
    prefix_tables[text] = t
  end
  return t
end

-- What holds for the longest prefix of a ref's recipient; 0 where none is known.
local function value_of(t, ref)
  local digits, lengths, of = int(unpack_('>I8', ref, 11)), t.lengths, t.of
  for i = 1, #lengths do
    local value = of[sub(digits, 1, lengths[i])]
    if value then return value end
  end
  return 0
end

local function routes_of(p)
  local r = route_lists[p]
  if not r then
    local groups, prefixes = (call('HGET', K.routes, p) or '/|'):match('^(.-)|(.*)$')
    r = { prefixes = prefixes_of(prefixes), texts = {}, groups = {} }
    for text in (groups .. ';'):gmatch('([^;]*);') do r.texts[#r.texts + 1] = text end
    route_lists[p] = r
  end
  return r
end

-- A group: the classes that new people are dealt to with the running sum of their weights, and all that `may` serve.
local function group_at(p, n)
  local r, list = routes_of(p), classes_of(p)
  local group = r.groups[n]
  if not group then
    local dealt, kind, others = r.texts[n]:match('^([%d,]*)([/^])([%d,]*)$')
    group = { total = 0, may = {} }
    for ordinal in dealt:gmatch('%d+') do
      local class = list[tonumber(ordinal)]
      group.total = group.total + class[3]
      group[#group + 1] = { class[1], group.total }
      group.may[class[1]] = true
    end
    if kind == '^' then
      group.may = group_at(p, tonumber(others) + 1).may
    else
      for ordinal in others:gmatch('%d+') do group.may[list[tonumber(ordinal)][1]] = true end
    end
    r.groups[n] = group
  end
  return group
end

local function group_of(p, ref) return group_at(p, value_of(routes_of(p).prefixes, ref) + 1) end

-- Whether a sender may have this message of a campaign that does not name it.
local function may_serve(s, ref)
  return not s.named and (not s.bounded or group_of(s.p, ref).may[s.class])
end

-- The class lane of a message nobody is pinned to: by the weights of the profile, from a hash of who and where.
local function class_of(p, ref, k)
  local list = classes_of(p)
  if list.routed then
    local group = group_of(p, ref)
    if #group == 0 then return list.nobody end
    list = group
  end
  if #list == 1 then return list[1][1] end
  local x = (unpack_('>I8', ref, 11) * 7919 + k * 104729) % 1000003 % list.total
  local first, last = 1, #list
  while first < last do
    local mid = floor((first + last) / 2)
    if x < list[mid][2] then last = mid else first = mid + 1 end
  end
  return list[first][1]
end

-- pins --------------------------------------------------------------------------------------------------------------
-- One small packed hash a bucket of people (the low bits of their numbers, as two bytes): the person's 8 bytes as in
-- REF → sender × 100,000 + day of the last message. No expiry on the bucket: it would be written with every message; the
-- sweeper prunes instead.
local PIN_HIGH = PIN_BUCKETS / 256

local function pin_key(p, ref)
  local high, low = byte(ref, 17, 18)
  return K.pin .. p .. ':' .. char(high % PIN_HIGH, low)
end

-- The active sender that a pin's value names, and the day of the pin; nil when it names none that may send here.
local function pinned(p, value, ref, today, pin_days)
  local day = value % 100000
  if today - day > pin_days then return nil end
  local idx = int((value - day) / 100000)
  local s = sender_of(idx)
  if s and s.active and s.p == p and not s.loose and may_serve(s, ref) then return idx, day end
end

-- The active sender that a person is pinned to; nil when there is none.
local function pin_of(p, ref, today, pin_days)
  local value = call('HGET', pin_key(p, ref), sub(ref, 11))
  if value then return pinned(p, value, ref, today, pin_days) end
end

-- lanes -------------------------------------------------------------------------------------------------------------
-- The sender that a campaign names for a message: where its own may not send, its fallback ('index prefix=1 prefix=0 …').
local function named_for(c, ref)
  if not c.fb then return c.sd end
  if not c.fallback then
    local idx, prefixes = c.fb:match('^(%d+) (.*)$')
    c.fallback, c.refused = idx, prefixes_of(prefixes)
  end
  return value_of(c.refused, ref) == 1 and c.fallback or c.sd
end

-- Whose lane a message belongs in now: its campaign's sender, the pinned one, or its class.
local function owner_of(c, ref, k, today, pin_days)
  if c.sd ~= '' then return 's' .. named_for(c, ref) end
  local list = class_lists[c.p] -- not read for those who are pinned; the first who is not tells whether anybody is
  local idx = not (list and list.loose) and pin_of(c.p, ref, today, pin_days)
  if idx then return 's' .. idx end
  return 'c' .. c.p .. '.' .. class_of(c.p, ref, k)
end

-- Whether an owner is the class of those whom no sender may serve. Its lanes are looked at by nobody before a sync changes the
-- routes, do not count as planned ahead, and end as everything does.
local function is_nobody(owner) return byte(owner) == 99 and owner:find('.nobody~', 1, true) end

-- A campaign's place in a line: its start tag, and MMS behind all others, so that a line in which they wait is read no further.
local BEHIND = 4000000000000000
local function stands_at(c) return int(c.mm and BEHIND + c.vf or c.vf) end

-- A lane has something again: its campaign stands in line at its owner, and its owner is looked at by take.
local function mark_ready(c, owner)
  call('SADD', K.lanes .. c.id, owner)
  call('ZADD', K.ready .. c.pr .. ':' .. owner, 'NX', stands_at(c), c.id)
  if sub(owner, 1, 1) == 's' then
    local idx = sub(owner, 2)
    local s = sender_of(idx)
    if s and s.active and s.p == c.p and (c.sd ~= '' or not s.named) then
      local tat = call('ZSCORE', K.pool .. s.home, idx)
      if tat then call('ZADD', K.busy .. c.pr .. ':' .. c.p, tat, idx) end
    elseif c.sd == '' then
      call('SADD', K.evict, owner)
    end
  elseif is_nobody(owner) then
    if 'c' .. c.p .. '.' .. (classes_of(c.p).nobody or '') ~= owner then call('SADD', K.evict, owner) end
    return
  else
    call('SADD', K.shared .. c.pr .. ':' .. c.p, owner)
  end
  call('SADD', K.active .. c.pr, c.p)
end

-- Take need not look at an owner at whose lane no campaign stands in line any more.
local function unmark(pr, owner)
  if call('EXISTS', K.ready .. pr .. ':' .. owner) == 1 then return end
  local profile = owner:match('^c(%d+)')
  local s = not profile and sender_of(sub(owner, 2))
  if profile then call('SREM', K.shared .. pr .. ':' .. profile, owner)
  elseif s then call('ZREM', K.busy .. pr .. ':' .. s.p, s.idx) end
end

-- Appends refs (or puts them at the head) of one lane.
local function push(c, owner, refs, at_head)
  local length
  for i = 1, #refs, 500 do
    length = call(at_head and 'LPUSH' or 'RPUSH', K.lane .. c.id .. ':' .. owner,
                  unpack(refs, i, min(i + 499, #refs)))
  end
  if length == #refs then mark_ready(c, owner) end
  if not is_nobody(owner) then c.dln = c.dln + #refs end
end

-- Puts one message back in line: the flight's or later's ref, wherever it belongs by now.
local function requeue(c, ref, k, today, pin_days, at_head)
  push(c, owner_of(c, ref, k, today, pin_days), { ref }, at_head)
end
