-- sweep: ends what has not been sent of a campaign: cancelled (c) or expired (e). The flag comes first, so from the first
-- call on nothing of it is granted; the states follow, some chunks a call.
-- ARGV: moves, campaign, c | e, most chunks in one call, the action to record, if its state changes ('' for none)
-- Returns: {state now or '' for an unknown campaign, messages in flight, messages ended by this call, 1 when all is swept}
--!flags allow-oom
learn_moves(ARGV[1])
local cid, to, most = ARGV[2], ARGV[3], tonumber(ARGV[4])
local c = camp_of(cid)
if not c then return { '', 0, 0, 1 } end
local key, now, ended = K.campaign .. cid, clock(), 0

local function drop_lanes()
  local owners = call('SMEMBERS', K.lanes .. cid)
  for i = 1, #owners do
    call('DEL', K.lane .. cid .. ':' .. owners[i])
    call('ZREM', K.ready .. c.pr .. ':' .. owners[i], cid)
    unmark(c.pr, owners[i])
  end
  call('DEL', K.lanes .. cid, K.parked .. cid)
  call('HSET', key, 'ln', 0)
end

if c.st == 'r' or c.st == 'p' then
  c.st = to
  call('HSET', key, 'st', to, 'sw', 0)
  call('ZREM', K.unplanned, cid)
  call('ZREM', K.expiring, cid)
  call('ZREM', K.asleep, cid)
  call('ZREM', K.reckon, cid)
  call('ZREM', K.due, 'plan:' .. cid)
  call('ZADD', K.due, int(now), 'sweep:' .. cid)
  call('XADD', K.ledger, '*', 'v', '1', 'k', 'campaign', 'c', cid, 's', to == 'c' and 'cancelled' or 'expired', 't', int(now))
  acted(ARGV[5])
  drop_lanes()
end

local from = tonumber(call('HGET', key, 'sw') or -1)
if from >= 0 and (c.st == 'c' or c.st == 'e') then
  local stop = min(from + most, c.ch)
  for k = from, stop - 1 do
    local chunk = chunk_of(cid, k)
    local at = chunk and chunk.text:find('.', 1, true)
    while at do
      if move(chunk, at - 1, c.st) then
        tell(cid, k, at - 1, c.st, NOBODY, 0)
        ended = ended + 1
      end
      at = chunk.text:find('.', at + 1, true)
    end
  end
  if stop == c.ch then
    call('HDEL', key, 'sw')
    call('ZREM', K.due, 'sweep:' .. cid)
    from = -1
  else
    call('HSET', key, 'sw', stop)
  end
else
  as_it_was()
end
save_chunks(save_told(c.st == 'c' and 'cancel' or 'expire', now))
save_camps()
local flying = call('HMGET', key, 'ns', 'rf')
return { c.st, tonumber(flying[1] or 0) + tonumber(flying[2] or 0), ended, from < 0 and 1 or 0 }
