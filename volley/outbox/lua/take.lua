-- take: grants up to `want` messages to one worker under one fence. The cost is what it grants.
-- ARGV: token, want, horizon µs, urgent's horizon µs, credit µs, flight's life µs, moves, ledger bound, low water (messages),
--       pin days
-- Returns: {now µs, flight or '', granted, campaigns that want planning, why: '' | 'ledger' | 'hold' (another server: workers
--           re-assert first) | 'stopped' (by hand, all of it) | 'circuit' (open: none, or one message to try the carrier with) | 'idle' (no work at all),
--           the server's run id}
--!flags allow-oom
--
-- Rates are GCRA over account, profile, sender and registered campaign. A message's moment is when all its buckets are
-- free; each bucket is charged from no earlier than `credit` before that moment, so a late take or a bucket that waited
-- for another loses nothing. The worker puts it on the wire within (260 ms - credit) of its moment: so the carrier sees
-- at most rate × (W + 0.3 s) + one message in any window W.
local token, life = ARGV[1], tonumber(ARGV[6])
local FEW_CLASSES = 8
local TURN_US = 10000 -- a sender goes on for this long before the next one's turn, where nobody competes
local bound, low, pin_days = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
learn_moves(ARGV[7])
assert(MOVES['.s'])

local today = floor(now / DAY_US)
local hold, run = held(now)
if hold then return { int(now), '', 0, {}, 'hold', run } end
if stopped() then return { int(now), '', 0, {}, 'stopped', run } end
if call('XLEN', K.ledger) > bound then return { int(now), '', 0, {}, 'ledger', run } end
want = circuit_lets(want)
if want == 0 then return { int(now), '', 0, {}, 'circuit', run } end

wake(tonumber(ARGV[3]))
-- what rested and is due goes back into its lane
local due = call('ZRANGEBYSCORE', K.later, '-inf', int(now), 'LIMIT', 0, 200)
for i = 1, #due do
  local cid, ref = sub(due[i], 1, 16), sub(due[i], 17)
  local k, off = place_in(ref)
  local c, chunk = camp_of(cid), chunk_of(cid, k)
  call('ZREM', K.later, due[i])
  -- what has ended meanwhile is swept; its refs just go
  local open = c and (c.st == 'r' or c.st == 'p') and chunk and state_of(chunk, off) == '.'
  if open then requeue(c, ref, k, today, pin_days, true) end
end

-- grants ------------------------------------------------------------------------------------------------------------
local granted, skips, records = 0, 0, {}
local V = {}
local moved = {}

local optouts = {}
local function opted_out(p, ref)
  if optouts[p] == nil then optouts[p] = call('EXISTS', K.optout .. p) == 1 end
  return optouts[p] and call('SISMEMBER', K.optout .. p, int(unpack_('>I8', ref, 11))) == 1
end

-- Whether the person is, or now becomes, this sender's; if not, the ref goes to the lane of the one they are pinned to.
local function pin(c, s, ref)
  local key, person = pin_key(c.p, ref), sub(ref, 11)
  local value = call('HGET', key, person)
  if value == s.pin then return true end
  if value then
    local idx = pinned(c.p, value, ref, today, pin_days)
    if idx and idx ~= s.idx then
      moved[#moved + 1] = { c, 's' .. idx, ref }
      return false
    end
  end
  call('HSET', key, person, s.pin)
  return true
end

-- A record of the flight: sender, campaign ordinal, the ref with this attempt counted, µs until its moment.
local function record(c, s, ref, attempt, spent, generation, delay)
  if s.head_of ~= c then s.head, s.head_of = pack('>I4B', s.idx, ordinal_of(c.id)), c end
  if attempt + spent == 0 and delay == 0 then return s.head .. sub(ref, 1, 7) .. '\1\1' .. sub(ref, 10) .. '\0\0\0\0' end
  return s.head .. sub(ref, 1, 7) .. char(min(attempt + 1, 255), min(spent + 1, 255), generation) .. sub(ref, 11) ..
         pack('>I4', delay)
end

local function grant(c, s, ref, moment)
  local k1, k2, k3, k4, o1, o2, parts, attempt, spent, generation = byte(ref, 1, 10)
  local k, off = ((k1 * 256 + k2) * 256 + k3) * 256 + k4, o1 * 256 + o2
  local chunk = c.chunk
  if not chunk or chunk.k ~= k then
    chunk = chunk_of(c.id, k)
    c.chunk = chunk
  end
  if not chunk or chunk.now[off] or byte(chunk.text, off + 1) ~= 46 then return false end
  if optouts[c.p] ~= false and opted_out(c.p, ref) then
    move(chunk, off, 'o')
    tell(c.id, k, off, 'o', NOBODY, attempt)
    return false
  end
  if c.sd == '' then
    if (s.bounded or s.named) and not may_serve(s, ref) then
      moved[#moved + 1] = { c, owner_of(c, ref, k, today, pin_days), ref } -- the routes have changed since it was planned
      return false
    end
    if not s.loose and not pin(c, s, ref) then return false end
  end
  change(chunk, off, 's')
  if c.budget then spend(c, ref, 1) end
  local earliest = moment - credit
  if account.cost > 0 then charge(account, earliest, parts) end
  if c.cap then charge(c.cap, earliest, parts) end
  if c.mm and bucket_of('m').cost > 0 then charge(bucket_of('m'), earliest, parts) end
  if s.bucket.cost > 0 then charge(s.bucket, earliest, parts) end
  if s.group_bucket and s.group_bucket.cost > 0 then charge(s.group_bucket, earliest, parts) end
  s.tat = (s.tat > earliest and s.tat or earliest) + ceil(parts * s.cost)
  s.parts = (s.parts or 0) + parts
  local pr = c.pr
  local tag = c.vf
  if V[pr] > tag then tag = V[pr] end
  V[pr], c.vf = tag, tag + ceil(parts * 1000000 / c.w)
  c.taken = (c.taken or 0) + 1
  granted = granted + 1
  records[granted] = record(c, s, ref, attempt, spent, generation, moment - now)
  return true
end

local function moment_of(s, c)
  local moment = now
  if s.tat > moment then moment = s.tat end
  if account.tat > moment then moment = account.tat end
  if s.bucket.tat > moment then moment = s.bucket.tat end
  if c.mm then moment = max(moment, bucket_of('m').tat) end
  if c.cap and c.cap.tat > moment then moment = c.cap.tat end
  return s.group_bucket and max(moment, s.group_bucket.tat) or moment
end

-- Grants from the head of the chosen lane: one message where campaigns compete, else until the sender is free only after
-- `stop`. true: granted; false: not now; nil: that lane has none left.
local function serve(s, line, i, limit, stop, alone)
  local c, done = camp_of(line.ids[i]), false
  local lane = buffer_of(line, c.id, s.own_line == line and s.reach or min(want, max(s.reach, 8)))
  while lane.at - lane.from < lane.size do
    local moment = moment_of(s, c)
    if too_far(moment, limit) or skips > 4 * want then return done end
    local ref = lane.refs[lane.at - lane.from + 1]
    if c.budget and not affords(c, ref) then
      leave(line, i)
      return done or nil
    end
    lane.at = lane.at + 1
    c.dln = c.dln - 1
    if c.quiet and laid_by(c, ref) then
      skips = skips + 1
    elseif grant(c, s, ref, moment) then
      if not alone or s.tat > stop or granted == want then return true end
      done = true
    else
      skips = skips + 1
    end
  end
  if lane.size < lane.n then leave(line, i) end
  return done or nil
end

-- Serves this sender from its own lane or its class's, whichever campaign's turn it is.
local function serve_next(s, pr, limit, stop)
  while true do
    local own, shared = s.own_line, s.class_line
    local i, tag = nil, nil
    if own then i, tag = next_in(own, V[pr], limit) end
    local line = own
    if shared then
      local j, other = next_in(shared, V[pr], limit)
      if j and (not i or other < tag) then line, i = shared, j end
    end
    if not i then return false end
    local alone = #line.ids == 1 and not (own and shared and #own.ids > 0 and #shared.ids > 0)
    local done = serve(s, line, i, limit, stop, alone)
    if done ~= nil then return done end
  end
end

-- When a sender is free. The pool's score is the truth; a score in `busy` is only not later than it.
local function free_at(s)
  if not s.tat then s.tat = tonumber(call('ZSCORE', K.pool .. s.home, s.idx) or nil) end
  return s.tat
end

-- senders in the order in which they are free ---------------------------------------------------------------------------
local function candidates(pr, limit)
  local list = {}
  local function add(found, own, class)
    for i = 1, #found, 2 do
      local s = sender_of(found[i])
      if s and class and not s.tat then s.tat = tonumber(found[i + 1]) end
      local tat = s and s.active and free_at(s)
      if not tat then
        call('ZREM', own or K.pool .. class, found[i])
      elseif tat > limit then
        if own then call('ZADD', own, 'XX', int(tat), found[i]) end
      else
        if s.pass ~= pr then
          s.pass, s.own_line, s.class_line = pr, nil, nil
          s.bucket, s.pin = bucket_of('p' .. s.p), int(s.idx * 100000 + today)
          s.group_bucket = s.group ~= '' and bucket_of('g' .. s.group) or nil
          s.reach = min(want, 2 + floor((limit - tat) / s.cost))
          list[#list + 1] = s
        end
        if own then s.own_line = line_of(pr, 's' .. s.idx, limit); s.busy = pr else s.class_line = line_of(pr, class, limit) end
      end
    end
  end
  local profiles = call('SMEMBERS', K.active .. pr)
  for i = 1, #profiles do
    local p = profiles[i]
    if bucket_of('p' .. p).tat <= limit then
      local busy = K.busy .. pr .. ':' .. p
      add(call('ZRANGEBYSCORE', busy, '-inf', int(limit), 'WITHSCORES', 'LIMIT', 0, want), busy)
      local classes = call('SMEMBERS', K.shared .. pr .. ':' .. p)
      local before, from = #list, #classes > FEW_CLASSES and now % #classes or 0
      for j = 1, #classes do
        -- of very many classes a take looks at some, beginning anywhere: its cost is that of what it grants
        if j > FEW_CLASSES and #list - before > 2 * want then break end
        local class = classes[(from + j - 1) % #classes + 1]
        local free = call('ZRANGEBYSCORE', K.pool .. class, '-inf', int(limit), 'WITHSCORES', 'LIMIT', 0, want)
        local line = #free > 0 and line_of(pr, class, limit)
        if line then next_in(line, V[pr], limit) end
        if line and not line.dry then add(free, nil, class) end
        -- the profile has no such class any more: what waits in its lane moves
        if #free == 0 and not classes_of(p).has[class:match('^c%d+%.(.*)$')] then call('SADD', K.evict, class) end
      end
      if #classes == 0 and call('EXISTS', busy) == 0 then call('SREM', K.active .. pr, p) end
    end
  end
  table.sort(list, function(a, b) return a.tat > b.tat or (a.tat == b.tat and a.idx > b.idx) end)
  return list, #profiles
end

-- Keeps the list sorted, the soonest at its end.
local function insert(list, s)
  local lo, hi = 1, #list + 1
  while lo < hi do
    local mid = floor((lo + hi) / 2)
    if list[mid].tat > s.tat then lo = mid + 1 else hi = mid end
  end
  table.insert(list, lo, s)
end

local function pass(pr, limit)
  V[pr] = tonumber(call('HGET', K.fair, pr) or 0)
  if account.tat > limit then return 1 end
  local list, working = candidates(pr, limit)
  while granted < want and #list > 0 and account.tat <= limit do
    local s = list[#list]
    list[#list] = nil
    local group = s.group_bucket
    if group and too_far(group.tat, limit) then
      s.tat, s.moved = max(s.tat, group.tat), true -- not looked at again before its group is free
    else
      local stop = #list > 0 and min(limit, max(list[#list].tat, now - credit) + TURN_US) or limit
      if serve_next(s, pr, limit, stop) and s.tat <= limit then insert(list, s) end
      -- MMS only, and they wait: it is looked at again when they may go, or when something else comes
      if s.own_line and s.own_line.dry then call('ZADD', K.busy .. pr .. ':' .. s.p, 'XX', int(bucket_of('m').tat), s.idx) end
    end
  end
  return working
end

local working = pass('u', now + tonumber(ARGV[4]))
if granted < want then working = working + pass('b', now + tonumber(ARGV[3])) end

-- what changed is written once --------------------------------------------------------------------------------------------
for _, lane in ipairs(lanes_read) do
  if lane.at > 0 then call('LTRIM', lane.key, lane.at, -1) end -- as LPOP, and answers nothing
end
for i = 1, #moved do
  local m = moved[i]
  push(m[1], m[2], { m[3] })
end
for _, line in pairs(lines) do
  for i = 1, #line.ids do
    local c = camp_of(line.ids[i])
    if c and c.taken then call('ZADD', line.key, 'XX', stands_at(c), c.id) end
  end
  if #line.ids == 0 then unmark(line.pr, line.owner) end
end
for idx, s in pairs(senders) do
  if s and (s.parts or s.moved) then
    call('ZADD', K.pool .. s.home, 'XX', int(s.tat), idx)
    if s.busy then call('ZADD', K.busy .. s.busy .. ':' .. s.p, 'XX', int(s.tat), idx) end
  end
end
for name, b in pairs(buckets) do
  if b.charged then call('HSET', K.tat, name, int(b.tat)) end
end
for pr, v in pairs(V) do
  if granted > 0 then call('HSET', K.fair, pr, int(v)) end
end
save_chunks(save_told('opt_out', now))
for _, c in pairs(camps) do
  if c and c.taken then count(c, '.', -c.taken); count(c, 's', c.taken) end
end

-- which campaigns want their next chunk planned
local hungry, asked = {}, {}
local function ask(c)
  local parked = c and c.quiet and c.nx == c.ch and call('ZSCORE', K.unplanned, c.id)
  if c and not asked[c.id] and not out[c.id] and (c.nx < c.ch or parked) and c.st == 'r' then
    asked[c.id] = true
    hungry[#hungry + 1] = c.id
  end
end
for _, c in pairs(camps) do
  if c and c.ln + c.dln < low then ask(c) end
end
-- with rate left over and a sender idle, planning must run further ahead
local idle_in = {}
local function anybody_idle(p)
  if idle_in[p] == nil then
    idle_in[p] = false
    for class in (call('HGET', K.classes, p) or 'any 1'):gmatch('(%S+) [1-9]') do
      local first = call('ZRANGE', K.pool .. 'c' .. p .. '.' .. class, 0, 0, 'WITHSCORES')
      if first[2] and tonumber(first[2]) <= now then idle_in[p] = true; break end
    end
  end
  return idle_in[p]
end
if granted < want and account.tat <= now then
  local waiting = call('ZRANGE', K.unplanned, 0, 63)
  for i = 1, #waiting do
    local c = camp_of(waiting[i])
    if c and not (c.mm and mms_full(now)) and not (c.po and waits_until(c, now)) and anybody_idle(c.p) then ask(c) end
  end
end
save_sleeping()
save_budgets(now)
save_camps()

local flight = ''
if granted > 0 then
  flight = char(1, #ids) .. concat(ids) .. pack('>I2', granted) .. string.rep('s', granted) .. concat(records)
  call('SET', K.flight .. token, flight)
  call('ZADD', K.flights, int(now + life), token)
  call('HSET', K.server, 'seen', int(now))
  local day, slot = K.sent .. int(today), K.tempo .. int(floor(now / 10000000))
  local tempo = {}
  for idx, s in pairs(senders) do
    if s and s.parts then
      call('HINCRBY', day, idx, s.parts)
      tempo[s.p] = (tempo[s.p] or 0) + s.parts
    end
  end
  for p, parts in pairs(tempo) do call('HINCRBY', slot, p, parts) end
  call('EXPIRE', day, 259200)
  call('EXPIRE', slot, 120)
  for i = 1, #ids do
    call('HSETNX', K.campaign .. ids[i], 'f', int(now))
    call('HSET', K.campaign .. ids[i], 'l', int(now))
  end
end
-- what rests for long needs no drain meanwhile: the sweeper arms one when it is due
local function resting(key)
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2]) < now + 3000000
end
local idle = granted == 0 and working == 0 and #hungry == 0 and not resting(K.later) and not resting(K.asleep)
if circuit_until and granted > 0 then
  probed()
  return { int(now), flight, granted, hungry, 'circuit', run }
end
return { int(now), flight, granted, hungry, idle and 'idle' or '', run }
