-- reassert: a worker tells a server that may have forgotten it (held) what it took. Its messages that are ready here are in
-- flight again under the same token, so that nobody else is granted them; then their outcomes may be settled, again or at last.
-- A worker claims what it holds and what it settled as anything but provably not sent. So a claim is always the last
-- take of its message, and goes before a flight that this server remembers from before it.
-- ARGV: moves, pin days, then four a flight: token, packed flight (mask: s claimed, r a claimed repeat, - not), µs since it was taken, µs to live
-- Returns: {run id, messages still open of each flight}; without flights it only looks which server this is
--!flags allow-oom
learn_moves(ARGV[1])
local pin_days, now = tonumber(ARGV[2]), clock()
local today = floor(now / DAY_US)
local holding, run = held(now)

-- rates: what the forgotten takes charged --------------------------------------------------------------------------------
-- No bucket is free before its last message's moment and its cost. That is never less than what take charged, and the same
-- in whatever order, and however often, workers tell it.
local costs, tats = {}, {}

local function busy_until(name, cost, moment, parts)
  local tat = moment + ceil(parts * cost)
  if cost > 0 and tat > (tats[name] or 0) then tats[name] = tat end
end

local function charge_bucket(name, moment, parts)
  if not costs[name] then
    local rate = call('HGET', K.rates, name)
    costs[name] = rate and 1000000000 / rate or 0
  end
  busy_until(name, costs[name], moment, parts)
end

local function charge(c, s, moment, parts)
  charge_bucket('a', moment, parts)
  if c and c.mm then charge_bucket('m', moment, parts) end
  if c and c.po then charge_bucket('c' .. c.id, moment, parts) end
  if not s then return end
  charge_bucket('p' .. s.p, moment, parts)
  if s.group ~= '' then charge_bucket('g' .. s.group, moment, parts) end
  busy_until('s' .. s.idx, s.cost, moment, parts)
end

local function save_tats()
  for name, tat in pairs(tats) do
    local s = sub(name, 1, 1) == 's' and sender_of(sub(name, 2))
    if s and call('ZSCORE', K.pool .. s.home, s.idx) then
      call('ZADD', K.pool .. s.home, 'XX', 'GT', int(tat), s.idx)
    elseif tat > tonumber(call('HGET', K.tat, name) or 0) then
      call('HSET', K.tat, name, int(tat))
    end
  end
end

-- who holds what: read only where a message flies already ------------------------------------------------------------------
local holders

local function hold(place, token, pos, mask_at)
  if holders then holders[place] = { K.flight .. token, mask_at + pos } end
end

local function read_holders()
  holders = {}
  local tokens = call('ZRANGE', K.flights, 0, -1)
  for i = 1, #tokens do
    local text = call('GET', K.flight .. tokens[i])
    local flight = text and open_flight(text)
    for pos = 0, (flight and flight.n or 0) - 1 do
      if byte(flight.mask, pos + 1) == 115 then
        local at = flight.records + pos * RECORD_SIZE
        hold(flight.ids[byte(text, at + 4) + 1] .. sub(text, at + 5, at + 10), tokens[i], pos, flight.mask_at)
      end
    end
  end
end

-- Closes the message in the flight that this server thought it was in.
local function take_over(place)
  if not holders then read_holders() end
  local holder = holders[place]
  if holder then call('SETRANGE', holder[1], holder[2], '-') end
end

-- claims -----------------------------------------------------------------------------------------------------------------
local function pin(c, idx, ref)
  local s = sender_of(idx)
  if c.sd == '' and s and not s.loose and not pin_of(c.p, ref, today, pin_days) then
    call('HSET', pin_key(c.p, ref), sub(ref, 11), int(idx * 100000 + today))
  end
end

-- Whether a claimed message is open now under its worker's token. What ended in another way meanwhile stays as it is, open to
-- the one outcome that always merges. What flies here once the hold is over was granted since, to a worker that goes on with it:
-- a claim that comes so late comes from one that stood still. A dead one was redriven, or the worker would not have had it.
local function claim(chunk, off, place, attempt)
  local state = chunk and off < #chunk.text and state_of(chunk, off)
  -- somebody has made it ready since: that is remembered, so nothing that came before it has been forgotten
  if call('ZSCORE', K.heard, place .. 'r' .. char(attempt)) then return false end
  if state == 'z' and move(chunk, off, '.') then
    tell(chunk.cid, chunk.k, off, '.', NOBODY, attempt - 1)
    call('HDEL', K.final .. chunk.cid, chunk.k) -- it is open again
    call('ZADD', K.live, 'NX', int(tonumber(call('ZSCORE', K.campaigns, chunk.cid) or now)), chunk.cid)
    state = '.'
  end
  if state == '.' then return move(chunk, off, 's') end
  if state == 's' then
    if not holding then return false end
    take_over(place)
  end
  return state == 's' or state == '?' or state == 'c' or state == 'o' or state == 'e'
end

-- Whether a claimed repeat is in flight again: nobody else asks the carrier about its message meanwhile.
local function claim_repeat(c, chunk, off, place)
  if not chunk or state_of(chunk, off) ~= '?' or call('HEXISTS', K.unknown, place) == 0 then return false end
  call('ZREM', K.doubts, place)
  tally(c, 'rf', 1)
  return true
end

local function reassert(token, text, age, left)
  local flight = open_flight(text)
  local stored = call('GET', K.flight .. token)
  local known = stored and open_flight(stored)
  local mask, still_open, claimed = {}, 0, false
  for pos = 0, flight.n - 1 do
    local at = flight.records + pos * RECORD_SIZE
    local idx, camp, k, off, parts, attempt = unpack_(RECORD, text, at)
    local cid, mark = flight.ids[camp + 1], known and sub(known.mask, pos + 1, pos + 1) or '-'
    local c = camp_of(cid)
    charge(c, sender_of(int(idx)), now - age + unpack_('>I4', text, at + 23), parts)
    local asked, place = c and mark == '-' and sub(flight.mask, pos + 1, pos + 1), spot(cid, k, off)
    local chunk = chunk_of(cid, k)
    local before = chunk and state_of(chunk, off)
    if asked == 's' and claim(chunk, off, place, attempt) then
      if (before == '.' or before == 'z') and has_budget(c) then spend(c, sub(text, at + 5, at + 22), 1) end
      mark, claimed = 's', true
      pin(c, int(idx), sub(text, at + 5, at + 22))
      hold(place, token, pos, flight.mask_at)
    elseif asked == 'r' and claim_repeat(c, chunk_of(cid, k), off, place) then
      mark, claimed = 'r', true
    end
    mask[pos + 1] = mark
    if mark ~= '-' then still_open = still_open + 1 end
  end
  if claimed then
    call('SET', K.flight .. token, sub(text, 1, flight.mask_at) .. concat(mask) .. sub(text, flight.mask_at + flight.n + 1))
    call('ZADD', K.flights, int(now + left), token)
  end
  return still_open
end

local answer = {}
for i = 3, #ARGV, 4 do
  answer[#answer + 1] = reassert(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]))
end
save_tats()
save_told('redrive', now)
save_chunks()
save_budgets(now)
save_camps()
return { run, answer }
