-- due: claims jobs that should have shown life by now, so that one sweeper arms each; and drains, where there is work.
-- ARGV: how long a claim lasts µs, drains (shards) there should be while there is work
-- Returns: the jobs to arm: plan:<campaign>, drain:<shard>, sweep:<campaign>
--!flags allow-oom
local AHEAD_US = 1000000 -- a campaign that starts finds a drain at work
local now, life, shards = clock(), tonumber(ARGV[1]), tonumber(ARGV[2])
local working = call('EXISTS', K.active .. 'u', K.active .. 'b') > 0
if not working then
  local first = call('ZRANGE', K.later, 0, 0, 'WITHSCORES')
  local wakes = call('ZRANGE', K.asleep, 0, 0, 'WITHSCORES')
  working = first[2] and tonumber(first[2]) <= now or wakes[2] and tonumber(wakes[2]) <= now + AHEAD_US
end
if working then
  for shard = 0, shards - 1 do call('ZADD', K.due, 'NX', int(now), 'drain:' .. shard) end
end
-- a campaign with nothing left in its lanes and chunks to plan: whoever was to plan it has gone. Many are looked at, as
-- those that are paused or have enough in their lanes may stand first
local unplanned = call('ZRANGE', K.unplanned, 0, 999)
for i = 1, #unplanned do
  local c = camp_of(unplanned[i])
  if c and c.ln == 0 and c.st == 'r' then call('ZADD', K.due, 'NX', int(now), 'plan:' .. unplanned[i]) end
end
local jobs, armed = call('ZRANGEBYSCORE', K.due, '-inf', int(now), 'LIMIT', 0, 64), {}
for i = 1, #jobs do
  if sub(jobs[i], 1, 6) == 'drain:' and (not working or tonumber(sub(jobs[i], 7)) >= shards) then
    call('ZREM', K.due, jobs[i])
  else
    call('ZADD', K.due, int(now + life), jobs[i])
    armed[#armed + 1] = jobs[i]
  end
end
return armed
