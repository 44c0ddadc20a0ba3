-- settle: what came of a flight's messages. Only the holder of the flight's token may; each message once.
-- ARGV: moves, pin days, payload for the ledger ('' for none), then a token and its outcomes, a token and …
-- Outcomes '*' give a whole flight back: nothing of it was posted.
-- An outcome, 13 bytes: position I2, new state c1, flags B (1 another sender, 2 no attempt was made, 4 put it at the
-- lane's head, 8 the attempt is not counted against the message), delay µs I4 (0: at once), parts B, cost in micro-units i4 (-1: not known)
-- Of a repeat only new state a and flags 2 (no attempt was made), 8 (it was provably not taken) count; all else leaves it unknown.
-- Returns: one byte an outcome, in order: the message's state now, '-' where the outcome came too late to count.
--!flags allow-oom
learn_moves(ARGV[1])
local pin_days, payload = tonumber(ARGV[2]), ARGV[3]
local now = clock()
local today = floor(now / DAY_US)
local OUTCOME = '>I2c1BI4Bi4'

-- The state of a message that was not sent: its campaign may have been cancelled or have expired meanwhile.
local function state_for(c)
  if not c or c.st == 'c' then return 'c' end
  if c.st == 'e' or (c.x > 0 and now >= c.x) then return 'e' end
  return '.'
end

local function unpin(c, idx, ref)
  local held = pin_of(c.p, ref, today, pin_days)
  if held == int(idx) then call('HDEL', pin_key(c.p, ref), sub(ref, 11)) end
end

-- Back into line: at once, or when its rest is over. The generation may grow, since nothing of it was sent.
local function again(c, record, flags, delay)
  local idx, _, k, off, parts, attempt, spent, generation, rcpt = unpack_(RECORD, record)
  if flags % 4 >= 2 then attempt, spent = attempt - 1, spent - 1 else generation = min(generation + 1, 255) end
  if flags % 16 >= 8 then spent = spent - 1 end
  local ref = pack(REF, k, off, parts, attempt, max(0, spent), generation, rcpt)
  if flags % 2 == 1 and c.sd == '' then unpin(c, idx, ref) end
  if delay == 0 then
    requeue(c, ref, k, today, pin_days, flags % 8 >= 4)
  else
    call('ZADD', K.later, int(now + delay), c.id .. ref)
  end
end

local last = {} -- the campaign and chunk of the message before, as neighbours mostly share them

local function place_of(flight, camp, k)
  local cid = flight.ids[camp + 1]
  if last.cid ~= cid or last.k ~= k then
    last = { cid = cid, k = k, c = camp_of(cid), chunk = chunk_of(cid, k) }
  end
  return last.c, last.chunk
end

-- Whether a receipt has told of it while it was being sent: then the carrier has it, whatever its answer was taken for.
local function heard(chunk, off)
  return chunk and call('ZSCORE', K.heard, chunk.cid .. pack('>I4I2', chunk.k, off))
end

local function close(flight, pos)
  flight.closed[pos] = true
  flight.order[#flight.order + 1] = pos
end

local function taken_by_carrier(c, weight, parts, cost)
  sent_parts(c, parts > 0 and parts or weight)
  if cost > 0 then c.cm = (c.cm or 0) + cost end
end

-- Whether a repeat was charged (repeat.lua). Where one may have arrived already, nobody can tell: then it is not given back.
local function charged_for(place)
  local text = call('HGET', K.unknown, place)
  return text and byte(text, -1) == 1
end

-- A repeat asks only whether the carrier has the message: it says so, or nobody knows it as before.
local function settle_repeat(c, chunk, off, ref, new, flags, delay)
  -- a receipt may have told of it meanwhile: then its doubt is gone
  if not chunk or state_of(chunk, off) ~= '?' then
    if c then tally(c, 'rf', -1) end
    return '-'
  end
  local place = spot(c.id, chunk.k, off)
  if new == 'a' then
    tally(c, 'rf', -1)
    move(chunk, off, 'a')
    return 'a'
  end
  if new == 'o' then call('SADD', K.optout .. c.p, int(unpack_('>I8', ref, 11))) end
  local gone = flags % 16 < 8
  if not gone and has_budget(c) and charged_for(place) then spend(c, ref, -1) end
  doubt_again(c, place, now, flags % 4 < 2 or gone, gone, delay)
  return '?'
end

local function settle_one(flight, pos, new, flags, delay, parts, cost)
  local kind = pos < flight.n and not flight.closed[pos] and byte(flight.mask, pos + 1) or 45
  if kind == 45 then return '-' end
  local at = flight.records + pos * RECORD_SIZE
  local camp, k1, k2, k3, k4, o1, o2, weight = byte(flight.text, at + 4, at + 11)
  local off = o1 * 256 + o2
  local c, chunk = place_of(flight, camp, ((k1 * 256 + k2) * 256 + k3) * 256 + k4)
  if kind == 114 then
    close(flight, pos)
    local answer = settle_repeat(c, chunk, off, sub(flight.text, at + 5, at + 22), new, flags, delay)
    if answer == 'a' then taken_by_carrier(c, weight, parts, cost) end
    return answer
  end
  local state = new == '.' and state_for(c) or new
  if state ~= 'a' and heard(chunk, off) then state = 'a' end
  if not chunk or not move(chunk, off, state) then
    if not chunk or state_of(chunk, off) ~= 's' then close(flight, pos) end -- it has ended otherwise, and flies no more
    return '-'
  end
  close(flight, pos)
  if state ~= 'a' and state ~= '?' and has_budget(c) then spend(c, sub(flight.text, at + 5, at + 22), -1) end
  if state == 'a' then
    taken_by_carrier(c, weight, parts, cost)
  elseif state == '?' then
    flight.deadline = flight.deadline or call('ZSCORE', K.flights, flight.token)
    doubt(chunk, off, sub(flight.text, at, at + RECORD_SIZE - 1), flight.deadline, now)
  elseif state == 'o' then
    call('SADD', K.optout .. c.p, int(unpack_('>I8', flight.text, at + 15))) -- the carrier knows that they said STOP
  elseif state == '.' then
    again(c, sub(flight.text, at, at + RECORD_SIZE - 1), flags, delay)
  end
  if flags % 4 >= 2 and state ~= '.' then tell(c.id, chunk.k, off, state, NOBODY, 0) end
  return state
end

local function save_flight(flight, token)
  local order = flight.order
  if #order == 0 then return end
  local open = flight.n
  for i = 1, flight.n do
    if flight.closed[i - 1] or byte(flight.mask, i) == 45 then open = open - 1 end
  end
  if open == 0 then
    call('DEL', K.flight .. token)
    call('ZREM', K.flights, token)
    return
  end
  table.sort(order)
  local first, run = order[1], 0
  for i = 1, #order do
    if order[i] ~= first + run then
      call('SETRANGE', K.flight .. token, flight.mask_at + first, string.rep('-', run))
      first, run = order[i], 0
    end
    run = run + 1
  end
  call('SETRANGE', K.flight .. token, flight.mask_at + first, string.rep('-', run))
end

-- Gives back all that is still open: nothing of it was posted.
local function release(flight)
  for pos = 0, flight.n - 1 do
    local again = byte(flight.mask, pos + 1) == 114
    settle_one(flight, pos, '.', again and 10 or 6, again and 1000000 or 0, 0, -1)
  end
end

local answer, flights = {}, {}
for i = 4, #ARGV, 2 do
  local token, outcomes = ARGV[i], ARGV[i + 1]
  local flight = flights[token]
  if flight == nil then
    local text = call('GET', K.flight .. token)
    flight = text and open_flight(text) or false
    if flight then flight.text, flight.token, flight.closed, flight.order = text, token, {}, {} end
    flights[token] = flight
  end
  if outcomes == '*' then
    if flight then release(flight) end
    outcomes = ''
  end
  for at = 1, #outcomes, 13 do
    local pos, new, flags, delay, parts, cost = unpack_(OUTCOME, outcomes, at)
    answer[#answer + 1] = flight and settle_one(flight, pos, new, flags, delay, parts, cost) or '-'
  end
end
for token, flight in pairs(flights) do
  if flight then save_flight(flight, token) end
end

local mask = concat(answer)
local entry = save_told('settle', now)
if payload ~= '' then
  entry = call('XADD', K.ledger, '*', 'v', '1', 'k', 'attempts', 'p', payload, 'm', mask)
end
save_chunks(entry)
save_budgets(now)
save_camps()
for _, c in pairs(camps) do
  if c and c.cm then call('HINCRBY', K.campaign .. c.id, 'cm', c.cm) end
end
return mask
