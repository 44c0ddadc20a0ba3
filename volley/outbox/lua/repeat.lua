-- repeat: grants unknown messages whose doubt is due, under one fence: the same POST with the same key, which asks the carrier
-- whether it has them. A take in everything but this: the state stays unknown, as a repeat can only say that it was sent.
-- ARGV: token, want, horizon µs, 1 where the account honours the key or 0, credit µs, flight's life µs, ledger bound,
--       how long after it became unknown a message may be given up µs
-- Returns: as take {now µs, flight or '', granted, {}, why: '' | 'ledger' | 'hold' | 'stopped' | 'circuit', the server's run id}, and when the
--          next doubt is due µs (0: there is none)
--!flags allow-oom
local token, horizon, honoured, life = ARGV[1], tonumber(ARGV[3]), ARGV[4] == '1', tonumber(ARGV[6])
local KEY_LIFE_US = 82800000000 -- 23 h: the carrier forgets keys after a day
local LOOKED_AT = 4 * want + 20
local limit, granted, records = now + horizon, 0, {}

local function next_due()
  return tonumber(call('ZRANGE', K.doubts, 0, 0, 'WITHSCORES')[2] or 0)
end

local hold, run = held(now)
local first = next_due()
local function nothing(why) return { int(now), '', 0, {}, why, run, int(first) } end
if hold then return nothing('hold') end
if first == 0 or first > now then return nothing('') end
if stopped() then return nothing('stopped') end
if call('XLEN', K.ledger) > tonumber(ARGV[7]) then return nothing('ledger') end
want = circuit_lets(want)
if want == 0 then return nothing('circuit') end

-- The sender that the message was first sent by, if it may still send it; its place in the pool.
local function sender_for(c, idx, ref)
  local s = sender_of(int(idx))
  if not s or not s.active or s.p ~= c.p then return nil end
  if c.sd ~= '' then
    if named_for(c, ref) ~= s.idx then return nil end
  elseif (s.bounded or s.named) and not may_serve(s, ref) then
    return nil
  end
  s.tat = s.tat or tonumber(call('ZSCORE', K.pool .. s.home, s.idx) or nil)
  return s.tat and s
end

-- Not before its campaign's start, at night, or beyond its budget: one that was not proved to be harmless may be a message more.
local function by_its_terms(c, ref)
  local start = terms_of(c).start
  return not (start and start > now) and (not c.quiet or chunk_open(c, place_in(ref), now))
    and (honoured or not c.budget or estimate_of(c, ref) <= left_of(c))
end

local function may_go(c, ref, since)
  return c.st == 'r' and (c.x == 0 or now < c.x) and (honoured or c.ou == 'r') and now - since < KEY_LIFE_US
    and call('SISMEMBER', K.optout .. c.p, int(unpack_('>I8', ref, 11))) == 0
    and (not c.po or by_its_terms(c, ref))
end

local function buckets_for(c, s)
  local found = { account, bucket_of('p' .. s.p) }
  if s.group ~= '' then found[#found + 1] = bucket_of('g' .. s.group) end
  if c.mm then found[#found + 1] = bucket_of('m') end
  if c.po and terms_of(c).cap then found[#found + 1] = c.cap end
  return found
end

-- When all of a message's buckets are free, as take has it.
local function moment_of(s, limits)
  local moment = max(now, s.tat)
  for i = 1, #limits do moment = max(moment, limits[i].tat) end
  return moment
end

-- Looked at again shortly before its sender is free: those of one sender in line, and no later than anything that ends a rest.
local function wait_for(s, place, moment, parts)
  s.line = max(s.line or 0, moment)
  call('ZADD', K.doubts, int(min(max(now + 50000, s.line - horizon / 2), now + 300000000)), place)
  s.line = s.line + ceil(parts * s.cost)
end

-- One doubt that is due. false: nothing may go now, whatever follows.
local function look(place)
  local cid, k, off = sub(place, 1, 16), unpack_('>I4I2', place, 17)
  local text, c, chunk = call('HGET', K.unknown, place), camp_of(cid), chunk_of(cid, k)
  if text and chunk and not c then -- it is being rebuilt: chunks come first
    call('ZADD', K.doubts, next_look(now, now), place)
    return
  end
  if not text or not c or not chunk or state_of(chunk, off) ~= '?' then
    call('HDEL', K.unknown, place)
    call('ZREM', K.doubts, place)
    return
  end
  if byte(text, 1) ~= 1 then return end -- a newer release's: it knows what to do with it
  local v, idx, parts, attempt, spent, generation, rcpt, since, repeats, proof = unpack_(DOUBT, text)
  local given_up = since + tonumber(ARGV[8])
  if c.ou == 'g' and now >= given_up then return end -- give_up closes it
  local ref = pack(REF, k, off, parts, attempt, spent, generation, rcpt)
  local s = may_go(c, ref, since) and sender_for(c, idx, ref)
  if not s then
    local again = next_look(since, now)
    call('ZADD', K.doubts, c.ou == 'g' and int(min(tonumber(again), given_up)) or again, place)
    return
  end
  local limits = buckets_for(c, s)
  local moment = moment_of(s, limits)
  if too_far(account.tat, limit) then return false end
  if too_far(moment, limit) then return wait_for(s, place, moment, parts) end
  local earliest = moment - credit
  for i = 1, #limits do
    if limits[i].cost > 0 then charge(limits[i], earliest, parts) end
  end
  s.tat, s.moved = max(s.tat, earliest) + ceil(parts * s.cost), true
  attempt = min(attempt + 1, 255)
  granted = granted + 1
  records[granted] = pack(RECORD, s.idx, ordinal_of(cid), k, off, parts, attempt, spent, generation, rcpt, moment - now)
  if not honoured then
    proof = max(proof, 1)
    if c.budget then spend(c, ref, 1) end
  end
  call('HSET', K.unknown, place,
       pack(DOUBT, v, idx, parts, attempt, spent, generation, rcpt, since, min(repeats + 1, 65535), proof))
  call('ZREM', K.doubts, place) -- while it flies it is looked at by nobody
  tally(c, 'rf', 1)
end

local due = call('ZRANGEBYSCORE', K.doubts, '-inf', int(now), 'LIMIT', 0, LOOKED_AT)
for i = 1, #due do
  if granted == want or look(due[i]) == false then break end
end

for idx, s in pairs(senders) do
  if s and s.moved then call('ZADD', K.pool .. s.home, 'XX', int(s.tat), idx) end
end
for name, b in pairs(buckets) do
  if b.charged then call('HSET', K.tat, name, int(b.tat)) end
end
save_budgets(now)
save_camps()

local flight = ''
if granted > 0 then
  flight = char(1, #ids) .. concat(ids) .. pack('>I2', granted) .. string.rep('r', granted) .. concat(records)
  call('SET', K.flight .. token, flight)
  call('ZADD', K.flights, int(now + life), token)
end
local probes = circuit_until and granted > 0
if probes then probed() end
return { int(now), flight, granted, {}, probes and 'circuit' or '', run, int(next_due()) }
