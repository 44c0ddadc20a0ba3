-- What every script shares; scripts.py puts it and lanes.lua before each of them.
-- KEYS: the account's directory, in the order of keys.DIRECTORY. Names and prefixes only; ids are appended here.
local K = {}
do
  local names = {
    'campaigns', 'campaign', 'chunk', 'states', 'lanes', 'lane', 'ready', 'busy', 'shared', 'active', 'pool', 'sender',
    'senderinfo', 'numbers', 'profile', 'profileinfo', 'classes', 'routes', 'rates', 'tat', 'stops', 'fair', 'pin', 'optout',
    'flight', 'flights', 'later', 'due', 'unplanned', 'expiring', 'live', 'open', 'once', 'final', 'evict', 'sent', 'tempo', 'workers',
    'worker', 'ledger', 'sequence', 'heard', 'said', 'inbound', 'webhooks', 'probe',
    'circuit', 'poison', 'server', 'conservation', 'unknown', 'doubts', 'outcomes', 'history',
    'asleep', 'hours', 'parked', 'reckon', 'pushing', 'allowed', 'retried', 'gathered', 'serves', 'pincount' }
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
local DOUBT = '>BI4BBBBI8I8I2B'    -- version 1, sender, parts, attempt, spent, generation, recipient, since µs, repeats, proof
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

-- The index of a profile that is not known yet: what its people said before its first sync waits under it.
local function index_of(profile)
  local p = call('HGET', K.sequence, 'p:' .. profile)
  if not p then
    p = tostring(call('HINCRBY', K.sequence, 'profile', 1))
    call('HSET', K.sequence, 'p:' .. profile, p)
  end
  return p
end

-- the server --------------------------------------------------------------------------------------------------------
local HOLD_US = 3000000

-- The process, and the history of writes that it goes on with: a promotion begins another one, also of a process that was the
-- primary before. (So does the first replica that joins: a hold too many does no harm.)
local function run_id()
  local text = call('INFO', 'server', 'replication')
  local _, at = text:find('run_id:', 1, true)
  local _, from = text:find('master_replid:', at, true)
  return sub(text, at + 1, at + 40) .. sub(text, from + 1, from + 40)
end

-- The clock may be set, and a server that takes another's place has its own. `seen`: when it was last looked at.
local function clock_jumped(seen, now) return seen and (now < seen - 100000 or now > seen + 2500000) end

-- Whether nothing may be taken or given up for the moment, and this server's run id. A server that has restarted, or another
-- one in its place, may have forgotten the last takes and outcomes: workers get HOLD_US to tell it (reassert) what they did.
-- seal writes the run id first: a server that knows none and has campaigns was filled by something else.
-- While its clock has jumped rates cannot be kept by it, until a sweep (clock.lua) has moved them along.
local function held(now)
  local run, known = run_id(), call('HMGET', K.server, 'run', 'until', 'seen')
  local jumped = clock_jumped(tonumber(known[3] or nil), now)
  if known[1] == run then return jumped or now < tonumber(known[2] or 0), run end
  local hold = known[1] or call('EXISTS', K.live) == 1
  call('HSET', K.server, 'run', run, 'until', int(hold and now + HOLD_US or 0))
  return jumped or hold, run
end

-- campaigns ---------------------------------------------------------------------------------------------------------
local camps = {}

-- The moving part of a campaign, read once a call. nil: no such campaign.
local function camp_of(cid)
  local c = camps[cid]
  if c == nil then
    local f = call('HMGET', K.campaign .. cid, 'st', 'w', 'p', 'pr', 'x', 'ch', 'next', 'ln', 'vf', 'sd', 'fb', 'mm', 'ou', 'gu', 'po')
    if not f[1] then
      c = false
    else
      c = { id = cid, st = f[1], w = tonumber(f[2]), p = f[3], pr = f[4], x = tonumber(f[5]), ch = tonumber(f[6]),
            nx = tonumber(f[7]), ln = tonumber(f[8]), vf = tonumber(f[9]), sd = f[10] or '', fb = f[11], mm = f[12],
            ou = f[13] or 'h', gu = tonumber(f[14] or 0), po = f[15], n = {}, dln = 0 }
    end
    camps[cid] = c
  end
  return c or nil
end

-- A campaign's place among those that are to be planned: urgent ones before all others.
local function planned_at(pr, now) return int(pr == 'u' and now - 1000000000000000 or now) end

-- Parts that the carrier has taken.
local function sent_parts(c, parts)
  if c then c.sp = (c.sp or 0) + parts end
end

local function count(c, state, by) c.n[state] = (c.n[state] or 0) + by end

-- A rare counter of a campaign: gu given up, pt possibly twice, rf repeats in flight.
local function tally(c, field, by)
  c.rare = c.rare or {}
  c.rare[field] = (c.rare[field] or 0) + by
  if field == 'gu' then c.gu = c.gu + by end
end

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
      for field, by in pairs(c.rare or {}) do call('HINCRBY', key, field, by) end
      if c.taken then call('HSET', key, 'vf', int(c.vf)) end
    end
  end
end

-- doubts: what is known of messages of which nobody knows whether the carrier has them ----------------------------------
-- `proof` 0: each repeat was proved to be harmless; 1: one flies that was not; 2: one that was not may have arrived.
local FIRST_LOOK_US, LAST_LOOK_US = 20000000, 10800000000
local SOON_US = 1000000

local function spot(cid, k, off) return cid .. pack('>I4I2', k, off) end

-- When a doubt is looked at next: 20 s after the message became unknown, as webhooks mostly come first, then after 1, 3, 9, 27,
-- 81 minutes, and every 3 hours.
local function next_look(since, now) return int(now + min(max(2 * (now - since), FIRST_LOOK_US), LAST_LOOK_US)) end

-- A message has become unknown. `record` is the flight's, `deadline` when that had to be settled: what went out did so before.
-- Nobody may have looked for days, and the carrier has forgotten the key: a doubt is as old as the POST, not as its finding.
local function doubt(chunk, off, record, deadline, now)
  local place = spot(chunk.cid, chunk.k, off)
  local since = min(now, tonumber(deadline or nil) or now)
  call('HSET', K.unknown, place, '\1' .. sub(record, 1, 4) .. sub(record, 12, 23) .. pack('>I8I2B', since, 0, 0))
  call('ZADD', K.doubts, next_look(now, now), place)
end

-- A repeat has come back, and the message is as unknown as before. `tried`: the POST was made, `gone`: it may have arrived.
-- One that was not made, as it was too late for its moment, asked the carrier nothing: it is made soon, however old the doubt is.
local function doubt_again(c, place, now, tried, gone, delay)
  tally(c, 'rf', -1)
  local text = call('HGET', K.unknown, place)
  if not text then return end
  local v, idx, parts, attempt, spent, generation, rcpt, since, repeats, proof = unpack_(DOUBT, text)
  if not tried then
    attempt, repeats, delay = max(0, attempt - 1), max(0, repeats - 1), max(delay, SOON_US)
  end
  if proof == 1 then proof = gone and 2 or 0 end
  call('HSET', K.unknown, place, pack(DOUBT, v, idx, parts, attempt, spent, generation, rcpt, since, repeats, proof))
  call('ZADD', K.doubts, delay > 0 and int(now + delay) or next_look(since, now), place)
end

-- It is unknown no more. One without a doubt had been given up.
local function resolve(c, place)
  local text = call('HGET', K.unknown, place)
  if not text then
    if c.gu > 0 then tally(c, 'gu', -1) end
    return
  end
  if byte(text, -1) > 0 then tally(c, 'pt', 1) end
  call('HDEL', K.unknown, place)
  call('ZREM', K.doubts, place)
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
    if old == '?' then resolve(camp, spot(c.cid, c.k, off)) end
  end
  if new ~= 's' and new ~= '.' and new ~= '?' then c.ended = true end
  return true
end

-- A message begins anew after so many attempts (retry, redrive): whoever made the last of them claims it no more (reassert).
-- Remembered for an hour, however soon reap forgets what receipts told: such a claim may come from one that stood still for long.
local function begin_anew(place, attempts, now)
  call('ZADD', K.heard, int(now + 3600000000), place .. 'r' .. char(attempts))
end

-- Whether anything may still happen to one of a chunk's messages. What is unknown and was given up has no doubt any more.
local function is_open(c, text)
  if text:find('[%.s]') then return true end
  local at, camp = text:find('?', 1, true), camp_of(c.cid)
  if at and camp and camp.gu == 0 then return true end
  while at do
    if call('HEXISTS', K.unknown, spot(c.cid, c.k, at - 1)) == 1 then return true end
    at = text:find('?', at + 1, true)
  end
  return false
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
  if c.ended and entry and not is_open(c, call('GET', c.key)) then
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
local records -- of all senders, where a script has read them at once

-- A sender's record, read once a call; `tat` is filled in by whoever read its place in the pool. Its state: a in the pool or x
-- out of it, then e (named: only for campaigns that name it), n (loose: holds nobody), r (bounded: not for every country).
local function sender_of(idx)
  local s = senders[idx]
  if s == nil then
    local text
    if records then text = records[idx] else text = call('HGET', K.sender, idx) end
    s = false
    if text then
      local rate, p, class, state, group = text:match('^(%d+) (%d+) (%S+) (%S+) ?(.*)$')
      s = { idx = idx, cost = 1000000000 / rate, p = p, class = class, active = byte(state) == 97, group = group,
            home = 'c' .. p .. '.' .. class, flags = sub(state, 2) }
      if s.flags ~= '' then
        s.named, s.loose, s.bounded = s.flags:find('e', 1, true), s.flags:find('n', 1, true), s.flags:find('r', 1, true)
      end
    end
    senders[idx] = s
  end
  return s or nil
end

-- A sender's field in senderinfo. A number is in one profile; an alphanumeric ID may be in several, a sender in each.
local function field_of(number, profile) return number:find('%a') and number .. '@' .. profile or number end

-- What stands in the hash of senders; `state` a: in the pool, x: not.
local function save_sender(s, state)
  call('HSET', K.sender, s.idx,
       int(1000000000 / s.cost) .. ' ' .. s.p .. ' ' .. s.class .. ' ' .. state .. s.flags .. ' ' .. s.group)
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

-- ledger ------------------------------------------------------------------------------------------------------------
local told = {}

local function tell(cid, k, off, state, idx, attempt)
  told[#told + 1] = cid .. pack(MOVE, k, off, state, idx, attempt)
end

-- One entry for all that only Redis saw since the last one; its id, or nil if there was nothing.
local function save_told(why, now)
  if #told == 0 then return nil end
  local moves = concat(told)
  told = {}
  return call('XADD', K.ledger, '*', 'v', '1', 'k', 'moves', 'p', moves, 'w', why, 't', int(now))
end

-- Somebody did something: who and what, packed by actions.py. Nothing where nobody did.
local function acted(action)
  if action and action ~= '' then
    call('XADD', K.ledger, '*', 'v', '1', 'k', 'action', 'p', action, 't', int(clock()))
  end
end

-- Something happened to a campaign that changes no state of it: finished, budget_reached and the like. `detail` is JSON or nil.
local function happened(cid, what, detail)
  call('XADD', K.ledger, '*', 'v', '1', 'k', 'event', 'c', cid, 'e', what, 't', int(clock()), 'd', detail or '{}')
end

-- Nothing had to be changed, as somebody did so before. That may not be on the disk yet, and a barrier waits only for what its own
-- connection has written: so it is given something to wait for.
local function as_it_was() call('HSET', K.server, 'told', int(clock())) end

-- flights -----------------------------------------------------------------------------------------------------------
-- version 1 | campaigns B | campaign ids, 16 each | messages I2 | mask, one byte each: s open, r a repeat, - closed | records
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
