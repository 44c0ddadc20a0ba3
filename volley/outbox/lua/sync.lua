-- sync: the senders of one profile as they are now. New ones join the pool, changed ones change, missing ones leave it and
-- what waited for them moves to others.
-- ARGV: profile id, classes ('class weight class weight …'), routes ('' for none), facts JSON ('': as they were), then for
--       each sender: number, rate milli, class, state a|x, group, info JSON
-- Returns: {profile index, senders, joined, left}
local profile, now = ARGV[1], clock()
local p = call('HGET', K.profile, profile)
if not p then
  p = call('HINCRBY', K.sequence, 'profile', 1)
  call('HSET', K.profile, profile, p)
end
p = tostring(p)

local known = {} -- number → index, of this profile
local all = call('HGETALL', K.numbers)
for i = 1, #all, 2 do
  local s = sender_of(all[i])
  if s and s.p == p then known[all[i + 1]] = all[i] end
end

local joined, left = 0, 0
for i = 5, #ARGV, 6 do
  local number, rate, class, state, group, info = unpack(ARGV, i, i + 5)
  local held = call('HGET', K.senderinfo, number)
  local idx = known[number] or (held and tostring(cjson.decode(held).index))
  if not idx then
    idx = tostring(call('HINCRBY', K.sequence, 'sender', 1))
    joined = joined + 1
  end
  local before = sender_of(idx)
  if state ~= 'a' then
    call('HDEL', K.stops, 's' .. idx)
  elseif before and not before.active and call('HEXISTS', K.stops, 's' .. idx) == 1 then
    state = 'x' -- it rests; wake brings it back
  end
  local home = 'c' .. p .. '.' .. class
  if before and (before.home ~= home or state ~= 'a') then leave_pool(before) end
  known[number] = nil
  call('HSET', K.numbers, idx, number)
  call('HSET', K.senderinfo, number, (info:gsub('"index":0', '"index":' .. idx, 1)))
  call('HSET', K.sender, idx, rate .. ' ' .. p .. ' ' .. class .. ' ' .. state .. ' ' .. group)
  senders[idx] = nil -- read it as it is now
  if state == 'a' then join_pool(sender_of(idx), now) end
  if before and before.p ~= p then call('SADD', K.evict, 's' .. idx) end -- its people stay with the old profile
end

for number, idx in pairs(known) do
  local s = sender_of(idx)
  leave_pool(s)
  save_sender(s, 'x')
  local info, was = call('HGET', K.senderinfo, number):gsub('"active":true', '"active":false', 1)
  info = info:gsub('"reason":""', '"reason":"it is no longer in the profile"', 1)
  call('HSET', K.senderinfo, number, info)
  call('HDEL', K.stops, 's' .. idx)
  left = left + was
end
call('HSET', K.classes, p, ARGV[2])
if ARGV[3] == '' then call('HDEL', K.routes, p) else call('HSET', K.routes, p, ARGV[3]) end
if ARGV[4] ~= '' then call('HSET', K.profileinfo, profile, ARGV[4]) end
return { p, (#ARGV - 4) / 6, joined, left }
