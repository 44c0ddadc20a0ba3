-- sync: the senders of one profile as they are now. New ones join the pool, changed ones change, missing ones leave it and
-- what waited for them moves to others.
-- ARGV: profile id, classes ('class weight class weight …'), routes ('' for none), facts JSON ('': as they were), then for
--       each sender: number, rate milli, class, state (a|x and flags), group, info JSON
-- Returns: {profile index, senders, joined, left}
local profile, now = ARGV[1], clock()
local p = call('HGET', K.profile, profile)
if not p then
  p = index_of(profile)
  call('HSET', K.profile, profile, p)
  call('HDEL', K.sequence, 'p:' .. profile)
end

local known = {} -- number → index, of this profile
local all = call('HGETALL', K.numbers)
for i = 1, #all, 2 do
  local s = sender_of(all[i])
  if s and s.p == p then known[all[i + 1]] = all[i] end
end

local joined, left = 0, 0
for i = 5, #ARGV, 6 do
  local number, rate, class, state, group, info = unpack(ARGV, i, i + 5)
  local field = field_of(number, profile)
  local held = call('HGET', K.senderinfo, field)
  local idx = known[number] or (held and tostring(cjson.decode(held).index))
  if not idx then
    idx = tostring(call('HINCRBY', K.sequence, 'sender', 1))
    joined = joined + 1
  end
  local before = sender_of(idx)
  local active = sub(state, 1, 1) == 'a'
  if not active then
    call('HDEL', K.stops, 's' .. idx)
  elseif before and not before.active and call('HEXISTS', K.stops, 's' .. idx) == 1 then
    active, state = false, 'x' .. sub(state, 2) -- it rests; wake brings it back
  end
  local home = 'c' .. p .. '.' .. class
  if before and (before.home ~= home or not active) then leave_pool(before) end
  known[number] = nil
  call('HSET', K.numbers, idx, number)
  if field ~= number then call('HDEL', K.senderinfo, number) end -- as earlier releases kept it
  call('HSET', K.senderinfo, field, (info:gsub('"index":0', '"index":' .. idx, 1)))
  if sub(group, 1, 1) == '@' then call('HSET', K.rates, 'g' .. group, rate) end
  call('HSET', K.sender, idx, rate .. ' ' .. p .. ' ' .. class .. ' ' .. state .. ' ' .. group)
  senders[idx] = nil -- read it as it is now
  local s = sender_of(idx)
  if active then join_pool(s, now) end
  -- its people stay with the old profile, or with the pool where only campaigns that name it have it now
  if before and (before.p ~= p or s.named) then call('SADD', K.evict, 's' .. idx) end
end

for number, idx in pairs(known) do
  local s = sender_of(idx)
  leave_pool(s)
  save_sender(s, 'x')
  local field = field_of(number, profile)
  local info, was = (call('HGET', K.senderinfo, field) or ''):gsub('"active":true', '"active":false', 1)
  for _, reason in ipairs({ '""', '"it is being taken out of the profile"' }) do
    info = info:gsub('"reason":' .. reason, '"reason":"it is no longer in the profile"', 1)
  end
  if info ~= '' then call('HSET', K.senderinfo, field, info) end
  call('HDEL', K.stops, 's' .. idx)
  left = left + was
end
for class in pairs(call('HEXISTS', K.classes, p) == 1 and classes_of(p).has or {}) do
  if not (' ' .. ARGV[2] .. ' '):find(' ' .. class .. ' ', 1, true) then call('SADD', K.evict, 'c' .. p .. '.' .. class) end
end
call('HSET', K.classes, p, ARGV[2])
if ARGV[3] == '' then call('HDEL', K.routes, p) else call('HSET', K.routes, p, ARGV[3]) end
if ARGV[4] ~= '' then call('HSET', K.profileinfo, profile, ARGV[4]) end
return { p, (#ARGV - 4) / 6, joined, left }
