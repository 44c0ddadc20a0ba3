-- What every script shares; scripts.py puts it before each of them.
-- KEYS: the account's directory, in the order of keys.DIRECTORY. Names and prefixes only; ids are appended here.
local K = {}
do
  local names = {
    'campaigns', 'campaign', 'chunk', 'states', 'lanes', 'lane', 'ready', 'busy', 'shared', 'active', 'pool', 'sender',
    'senderinfo', 'numbers', 'profile', 'profileinfo', 'classes', 'routes', 'rates', 'tat', 'stops', 'fair', 'pin', 'optout',
    'flight', 'flights', 'later', 'due', 'unplanned', 'expiring', 'live', 'open', 'once', 'final', 'evict', 'sent', 'tempo', 'workers',
    'worker', 'ledger', 'sequence', 'heard', 'said', 'inbound', 'webhooks' }
  for i = 1, #names do K[names[i]] = KEYS[i] end
end

local call, pack, unpack_ = redis.call, struct.pack, struct.unpack
local format, byte, sub, char = string.format, string.byte, string.sub, string.char
local concat, floor, ceil, max, min = table.concat, math.floor, math.ceil, math.max, math.min

local REF = '>I4I2BBBBI8'          -- chunk, offset, parts, attempt, spent, generation, recipient
local REF_SIZE = 18
local RECORD = '>I4BI4I2BBBBI8I4'  -- sender, campaign ordinal, then as REF, then µs from take to its moment
local RECORD_SIZE = 27
local MOVE = '>I4I2c1I4B'          -- after the 16 bytes of the campaign: chunk, offset, state, sender, attempt
local NOBODY = 4294967295
local PIN_BUCKETS = 16384
local DAY_US = 86400000000

local function int(x) return format('%.0f', x) end

-- Where a ref's message stands: chunk and offset.
local function place_in(ref)
  local k1, k2, k3, k4, o1, o2 = byte(ref, 1, 6)
  return ((k1 * 256 + k2) * 256 + k3) * 256 + k4, o1 * 256 + o2
end

local function clock()
  local t = call('TIME')
  return t[1] * 1000000 + t[2]
end

-- campaigns ---------------------------------------------------------------------------------------------------------
local camps = {}

-- The moving part of a campaign, read once a call. nil: no such campaign.
local function camp_of(cid)
  local c = camps[cid]
  if c == nil then
    local f = call('HMGET', K.campaign .. cid, 'st', 'w', 'p', 'pr', 'x', 'ch', 'next', 'ln', 'vf', 'sd')
    if not f[1] then
      c = false
    else
      c = { id = cid, st = f[1], w = tonumber(f[2]), p = f[3], pr = f[4], x = tonumber(f[5]), ch = tonumber(f[6]),
            nx = tonumber(f[7]), ln = tonumber(f[8]), vf = tonumber(f[9]), sd = f[10] or '', n = {}, dln = 0 }
    end
    camps[cid] = c
  end
  return c or nil
end

-- Parts that the carrier has taken.
local function sent_parts(c, parts)
  if c then c.sp = (c.sp or 0) + parts end
end

local function count(c, state, by) c.n[state] = (c.n[state] or 0) + by end

-- Writes what the call changed in its campaigns.
local function save_camps()
  for _, c in pairs(camps) do
    if c then
      local key = K.campaign .. c.id
      for state, by in pairs(c.n) do
        if by ~= 0 then call('HINCRBY', key, 'n' .. state, by) end
      end
      if c.dln ~= 0 then call('HINCRBY', key, 'ln', c.dln) end
      if c.sp then call('HINCRBY', key, 'sp', c.sp) end
      if c.taken then call('HSET', key, 'vf', int(c.vf)) end
    end
  end
end

-- states ------------------------------------------------------------------------------------------------------------
local MOVES = {}
local chunks = {}

local function learn_moves(text)
  for move in text:gmatch('%S+') do MOVES[move] = true end
end

-- A chunk's states, read once a call. nil: the chunk has been retired.
local function chunk_of(cid, k)
  local of_campaign = chunks[cid]
  if not of_campaign then
    of_campaign = {}
    chunks[cid] = of_campaign
  end
  local c = of_campaign[k]
  if c == nil then
    local key = K.states .. cid .. ':' .. k
    local text = call('GET', key)
    c = text and { key = key, cid = cid, k = k, text = text, now = {}, order = {}, n = 0 } or false
    of_campaign[k] = c
  end
  return c or nil
end

local function state_of(c, off) return c.now[off] or sub(c.text, off + 1, off + 1) end

local function change(c, off, new)
  c.now[off] = new
  c.n = c.n + 1
  c.order[c.n] = off
end

-- Moves one message if the table of legal moves has it; the counts follow.
local function move(c, off, new)
  local old = state_of(c, off)
  if not MOVES[old .. new] then return false end
  change(c, off, new)
  local camp = camp_of(c.cid)
  if camp then
    local n = camp.n
    n[old] = (n[old] or 0) - 1
    n[new] = (n[new] or 0) + 1
  end
  if new ~= 's' and new ~= '.' and new ~= '?' then c.ended = true end
  return true
end

-- Writes the changed states, neighbours in one go. `entry` is the ledger entry that tells of them: a chunk in which
-- nothing is open any more may go once the recorder has acknowledged it.
local function save_chunk(c, entry)
  local now, order, run = c.now, c.order, {}
  local first, n = order[1], 0
  for i = 1, c.n do
    local off = order[i]
    if off ~= first + n then
      call('SETRANGE', c.key, first, concat(run, '', 1, n))
      first, n = off, 0
    end
    n = n + 1
    run[n] = now[off]
  end
  call('SETRANGE', c.key, first, concat(run, '', 1, n))
  if c.ended and entry and not call('GET', c.key):find('[%.s%?]') then
    call('HSET', K.final .. c.cid, c.k, entry)
  end
end

local function save_chunks(entry)
  for _, of_campaign in pairs(chunks) do
    for _, c in pairs(of_campaign) do
      if c and c.n > 0 then save_chunk(c, entry) end
    end
  end
end

-- senders -----------------------------------------------------------------------------------------------------------
local senders = {}

-- A sender's record, read once a call; `tat` is filled in by whoever read its place in the pool.
local function sender_of(idx)
  local s = senders[idx]
  if s == nil then
    local text = call('HGET', K.sender, idx)
    s = false
    if text then
      local rate, p, class, state, group = text:match('^(%d+) (%d+) (%S+) (%S+) ?(.*)$')
      s = { idx = idx, cost = 1000000000 / rate, p = p, class = class, active = state == 'a', group = group,
            home = 'c' .. p .. '.' .. class }
    end
    senders[idx] = s
  end
  return s or nil
end

-- What stands in the hash of senders; `state` a: in the pool, x: not.
local function save_sender(s, state)
  call('HSET', K.sender, s.idx, int(1000000000 / s.cost) .. ' ' .. s.p .. ' ' .. s.class .. ' ' .. state .. ' ' .. s.group)
end

-- A sender leaves the pool: when it would have been free is kept, what waits for it moves to others.
local function leave_pool(s)
  local tat = call('ZSCORE', K.pool .. s.home, s.idx)
  if tat then call('HSET', K.tat, 's' .. s.idx, tat) end
  call('ZREM', K.pool .. s.home, s.idx)
  call('ZREM', K.busy .. 'u:' .. s.p, s.idx)
  call('ZREM', K.busy .. 'b:' .. s.p, s.idx)
  call('SADD', K.evict, 's' .. s.idx)
end

-- A sender joins the pool, or stays in it; what still waits for it alone is looked at again.
local function join_pool(s, now)
  local kept = tonumber(call('HGET', K.tat, 's' .. s.idx) or 0)
  call('HDEL', K.tat, 's' .. s.idx)
  call('ZADD', K.pool .. s.home, 'NX', int(max(now, kept)), s.idx)
  call('SREM', K.evict, 's' .. s.idx)
  for _, pr in ipairs({ 'u', 'b' }) do
    if call('EXISTS', K.ready .. pr .. ':s' .. s.idx) == 1 then
      call('ZADD', K.busy .. pr .. ':' .. s.p, 'NX', int(now), s.idx)
      call('SADD', K.active .. pr, s.p)
    end
  end
end

-- pins: one small packed hash a bucket of people (the low bits of their numbers, as two bytes): the person's 8 bytes as in
-- REF → sender × 100,000 + day of the last message. No expiry on the bucket: it would be written with every message; the
-- sweeper prunes instead.
local PIN_HIGH = PIN_BUCKETS / 256

local function pin_key(p, ref)
  local high, low = byte(ref, 17, 18)
  return K.pin .. p .. ':' .. char(high % PIN_HIGH, low)
end

-- The active sender that a pin's value names, and the day of the pin; nil when it names none that may send here.
local function pinned(p, value, today, pin_days)
  local day = value % 100000
  if today - day > pin_days then return nil end
  local idx = int((value - day) / 100000)
  local s = sender_of(idx)
  if s and s.active and s.p == p then return idx, day end
end

-- The active sender that a person is pinned to; nil when there is none.
local function pin_of(p, ref, today, pin_days)
  local value = call('HGET', pin_key(p, ref), sub(ref, 11))
  if value then return pinned(p, value, today, pin_days) end
end

-- lanes -------------------------------------------------------------------------------------------------------------
local class_lists = {}

-- The classes of a profile with the running sum of their weights; `has` knows them by name.
local function classes_of(p)
  local list = class_lists[p]
  if not list then
    list = { total = 0, has = {} }
    for class, weight in (call('HGET', K.classes, p) or 'any 1'):gmatch('(%S+) (%d+)') do
      list.total = list.total + weight
      list[#list + 1] = { class, list.total }
      list.has[class] = true
    end
    class_lists[p] = list
  end
  return list
end

-- The class lane of a message nobody is pinned to: by the weights of the profile, from a hash of who and where.
local function class_of(p, ref, k)
  local list = classes_of(p)
  if #list == 1 then return list[1][1] end
  local x = (unpack_('>I8', ref, 11) * 7919 + k * 104729) % 1000003 % list.total
  for i = 1, #list do
    if x < list[i][2] then return list[i][1] end
  end
end

-- Whose lane a message belongs in now: its campaign's sender, the pinned one, or its class.
local function owner_of(c, ref, k, today, pin_days)
  if c.sd ~= '' then return 's' .. c.sd end
  local idx = pin_of(c.p, ref, today, pin_days)
  if idx then return 's' .. idx end
  return 'c' .. c.p .. '.' .. class_of(c.p, ref, k)
end

-- A lane has something again: its campaign stands in line at its owner, and its owner is looked at by take.
local function mark_ready(c, owner)
  call('SADD', K.lanes .. c.id, owner)
  call('ZADD', K.ready .. c.pr .. ':' .. owner, 'NX', int(c.vf), c.id)
  if sub(owner, 1, 1) == 's' then
    local idx = sub(owner, 2)
    local s = sender_of(idx)
    if s and s.active and s.p == c.p then
      local tat = call('ZSCORE', K.pool .. s.home, idx)
      if tat then call('ZADD', K.busy .. c.pr .. ':' .. c.p, tat, idx) end
    elseif c.sd == '' then
      call('SADD', K.evict, owner)
    end
  else
    call('SADD', K.shared .. c.pr .. ':' .. c.p, owner)
  end
  call('SADD', K.active .. c.pr, c.p)
end

-- Appends refs (or puts them at the head) of one lane.
local function push(c, owner, refs, at_head)
  local length
  for i = 1, #refs, 500 do
    length = call(at_head and 'LPUSH' or 'RPUSH', K.lane .. c.id .. ':' .. owner,
                  unpack(refs, i, min(i + 499, #refs)))
  end
  if length == #refs then mark_ready(c, owner) end
  c.dln = c.dln + #refs
end

-- Puts one message back in line: the flight's or later's ref, wherever it belongs by now.
local function requeue(c, ref, k, today, pin_days, at_head)
  push(c, owner_of(c, ref, k, today, pin_days), { ref }, at_head)
end

-- ledger ------------------------------------------------------------------------------------------------------------
local told = {}

local function tell(cid, k, off, state, idx, attempt)
  told[#told + 1] = cid .. pack(MOVE, k, off, state, idx, attempt)
end

-- One entry for all that only Redis saw in this call; its id, or nil if there was nothing.
local function save_told(why, now)
  if #told == 0 then return nil end
  return call('XADD', K.ledger, '*', 'v', '1', 'k', 'moves', 'p', concat(told), 'w', why, 't', int(now))
end

-- flights -----------------------------------------------------------------------------------------------------------
-- version 1 | campaigns B | campaign ids, 16 each | messages I2 | mask, one byte each: s open, - closed | records
local function open_flight(text)
  if byte(text, 1) ~= 1 then return nil end
  local ids, at = {}, 3
  for i = 1, byte(text, 2) do
    ids[i] = sub(text, at, at + 15)
    at = at + 16
  end
  local n = unpack_('>I2', text, at)
  at = at + 2
  return { ids = ids, n = n, mask_at = at - 1, mask = sub(text, at, at + n - 1), records = at + n }
end
