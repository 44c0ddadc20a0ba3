-- What reap stands on: chunks whose messages take their workers down with them. A recovery is a reap of what flew of a chunk. It
-- counts where its flight was taken after the one before had been noticed, so that one crash of many workers is one; and the
-- count begins anew where anything of the chunk was settled since, so that kills of healthy workers never add up.
local POISON_US, RECOVERIES = 259200000000, 3
local recovered = {}

-- Messages of a chunk that are neither ready nor being sent.
local function settled_in(text)
  local _, open = text:gsub('[%.s]', '')
  return #text - open
end

-- A message of a chunk has been moved from a flight that was taken at `taken`.
local function recover(chunk, taken)
  local key = chunk.cid .. ':' .. chunk.k
  local seen = recovered[key]
  if not seen then
    seen = { chunk = chunk, before = settled_in(chunk.text), moved = 0, taken = taken }
    recovered[key] = seen
  end
  seen.taken = max(seen.taken, taken)
  seen.moved = seen.moved + 1
end

-- A chunk's refs leave `later` and its campaign's lanes: nothing waits there that is not ready.
local function withdraw_refs(c, k)
  local head = c.id .. pack('>I4', k)
  local later = call('ZRANGE', K.later, 0, -1)
  for i = 1, #later do
    if sub(later[i], 1, 20) == head then call('ZREM', K.later, later[i]) end
  end
  local owners = call('SMEMBERS', K.lanes .. c.id)
  for i = 1, #owners do
    local key, gone = K.lane .. c.id .. ':' .. owners[i], 0
    for from = 0, call('LLEN', key) - 1, 1000 do
      local refs = call('LRANGE', key, from, from + 999)
      for j = 1, #refs do
        if place_in(refs[j]) == k then
          call('LSET', key, from + j - 1, '')
          gone = gone + 1
        end
      end
    end
    if gone > 0 then call('LREM', key, 0, '') end
    if not is_nobody(owners[i]) then c.dln = c.dln - gone end
  end
end

local function set_aside(chunk)
  local c, n = camp_of(chunk.cid), 0
  if not c or (c.st ~= 'r' and c.st ~= 'p') then return 0 end -- what is over is swept
  for off = 0, #chunk.text - 1 do
    if state_of(chunk, off) == '.' and move(chunk, off, 'z') then
      tell(chunk.cid, chunk.k, off, 'z', NOBODY, 0)
      n = n + 1
    end
  end
  if n > 0 then withdraw_refs(c, chunk.k) end
  return n
end

-- One more recovery of a chunk whose count was `held`: the count now, when it began, when it last grew.
local function counted(held, seen, now)
  local n, first, last, settled = (held or '0 0 0 0'):match('^(%d+) (%d+) (%d+) (%d+)$')
  n, first, last = tonumber(n), tonumber(first), tonumber(last)
  if seen.before > tonumber(settled) or now - first > POISON_US then n, last = 0, 0 end
  if seen.taken <= last then return n, first, last end
  return n + 1, n == 0 and now or first, now
end

-- Counts this call's recoveries, and sets aside what has had too many; at once what was set aside before.
local function count_recoveries(now)
  for key, seen in pairs(recovered) do
    local held = call('HGET', K.poison, key)
    local since, before = (held or ''):match('^z (%d+) (%d+)$')
    local n, first, last = RECOVERIES, now, now
    if not since then n, first, last = counted(held, seen, now) end
    local aside = n >= RECOVERIES and set_aside(seen.chunk) or 0
    if since or aside > 0 then
      call('HSET', K.poison, key, 'z ' .. (since or int(now)) .. ' ' .. (before or 0) + aside)
    else
      call('HSET', K.poison, key, n .. ' ' .. int(first) .. ' ' .. int(last) .. ' ' .. seen.before + seen.moved)
    end
  end
end
