-- What take and repeat stand on: the carrier's circuit, buckets, campaigns' own terms, and the campaigns of a flight.
local now = clock()

-- Whether somebody has stopped all sending (halt.lua).
local function stopped() return call('HEXISTS', K.stops, 'h') == 1 end

-- circuit -----------------------------------------------------------------------------------------------------------
-- Open while the carrier does not answer (trip.lua); closed where there is none. When its rest is over the fleet tries with one
-- message at a time: the next one a second later, then two, four …, so that what becomes unknown stays little.
local LONGEST_PROBE_US = 30000000
local circuit_until = tonumber(call('HGET', K.circuit, 'until') or nil)

-- How many of `n` messages may be granted now: all, one to try the carrier with, or none.
local function circuit_lets(n)
  if not circuit_until then return n end
  return circuit_until <= now and min(n, 1) or 0
end

-- A message was granted under an open circuit.
local function probed()
  local gap = 1000000 * 2 ^ min(5, call('HINCRBY', K.circuit, 'probes', 1) - 1)
  call('HSET', K.circuit, 'until', int(now + min(LONGEST_PROBE_US, gap)))
end

-- buckets -----------------------------------------------------------------------------------------------------------
local buckets = {}
local function bucket_of(name)
  local b = buckets[name]
  if not b then
    local rate = call('HGET', K.rates, name)
    b = { name = name, cost = rate and 1000000000 / rate or 0, tat = tonumber(call('HGET', K.tat, name) or 0) }
    buckets[name] = b
  end
  return b
end

local account, want, credit = bucket_of('a'), tonumber(ARGV[2]), tonumber(ARGV[5])

-- Whether a moment is after `limit`, or so far beyond the account that it would lose the time between: an urgent message that
-- waits for its sender or for MMS must not take from the account what others may use meanwhile.
local function too_far(moment, limit)
  return moment > limit or (moment > now + credit and moment > account.tat + credit)
end

local function mms_full(limit) return too_far(bucket_of('m').tat, limit) end

local function charge(b, earliest, parts)
  b.tat = (b.tat > earliest and b.tat or earliest) + ceil(parts * b.cost)
  b.charged = true
end

-- its own terms ------------------------------------------------------------------------------------------------------
-- What a campaign's terms say (terms.lua); its cap is a bucket as all others.
local function terms_of(c)
  local terms = c.terms
  if not terms then
    terms = { start = c.po:find('t', 1, true) and tonumber(call('HGET', K.campaign .. c.id, 'tt')) }
    c.budget = c.po:find('b', 1, true)
    c.quiet = c.po:find('q', 1, true)
    if c.po:find('r', 1, true) then
      terms.cap = bucket_of('c' .. c.id)
      c.cap = terms.cap
    end
    c.terms = terms
  end
  return terms
end

-- the campaigns of a flight in the making: each by its place in the list ------------------------------------------------
local ids, ordinals = {}, {}

local function ordinal_of(cid)
  local o = ordinals[cid]
  if not o then
    o = #ids
    ids[o + 1], ordinals[cid] = cid, o
  end
  return o
end
