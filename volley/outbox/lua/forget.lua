-- forget: campaigns that are over and old leave Redis; the ledger keeps them. Those that gathered messages of one moment were made
-- of go sooner, as there may be many a second (those that ended unknown or dead are among the others, see retire).
-- Recoveries of chunks are forgotten sooner.
-- ARGV: sealed before µs, the same for gathered ones, most campaigns of either kind in one call
-- Returns: campaigns that went, of some that are so old
--!flags allow-oom
local most = tonumber(ARGV[3])
local gone, forgotten, now = 0, {}, clock()

-- Chunks that ended without an entry of their own: put back by a rebuild or a redrive, and nothing of them was open.
local function drop_chunks(cid)
  for k = 0, tonumber(call('HGET', K.campaign .. cid, 'ch') or 0) - 1 do
    call('DEL', K.chunk .. cid .. ':' .. k, K.states .. cid .. ':' .. k)
  end
end

-- Nothing of it is open, and the recorder has committed its last entry.
local function is_over(cid) return not call('ZSCORE', K.live, cid) and call('EXISTS', K.final .. cid) == 0 end

local function drop(list, cid)
  drop_chunks(cid)
  call('DEL', K.campaign .. cid, K.lanes .. cid, K.hours .. cid, K.parked .. cid)
  call('ZREM', list, cid)
  call('ZREM', K.asleep, cid)
  call('HDEL', K.rates, 'c' .. cid)
  call('HDEL', K.tat, 'c' .. cid)
  forgotten[cid] = true
  gone = gone + 1
end

-- The oldest may be open for ever, as nobody learns what became of a message: those behind them go all the same.
local candidates = call('ZCOUNT', K.campaigns, '-inf', ARGV[1])
local from = candidates > most and now % candidates or 0
local old = call('ZRANGEBYSCORE', K.campaigns, '-inf', ARGV[1], 'LIMIT', int(from), most)
for i = 1, #old do
  if is_over(old[i]) then drop(K.campaigns, old[i]) end
end

-- Of gathered ones each is looked at once in a while: what is open comes behind all others.
old = call('ZRANGEBYSCORE', K.gathered, '-inf', ARGV[2], 'LIMIT', 0, most)
for i = 1, #old do
  if is_over(old[i]) then drop(K.gathered, old[i]) else call('ZADD', K.gathered, int(now), old[i]) end
end

local counts, stale = call('HGETALL', K.poison), now - POISON_US
for i = 1, #counts, 2 do
  local first = counts[i + 1]:match('^%d+ (%d+) ')
  if forgotten[sub(counts[i], 1, 16)] or (first and tonumber(first) < stale) then call('HDEL', K.poison, counts[i]) end
end
return gone
