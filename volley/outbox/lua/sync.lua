-- sync: the senders of one profile as they are now. New ones join the pool, changed ones change, missing ones leave it and
-- what waited for them moves to others.
-- ARGV: profile id, classes ('class weight class weight …'), routes ('' for none), facts JSON ('': as they were), then for
--       each sender: number, rate milli, class, state (a|x and flags), group, info JSON
-- Returns: {profile index, senders, joined, left}
--!flags allow-oom
local profile, now = ARGV[1], clock()
local p = call('HGET', K.profile, profile)
if not p then
  p = index_of(profile)
  call('HSET', K.profile, profile, p)
  call('HDEL', K.sequence, 'p:' .. profile)
end

local function all_of(key)
  local found, held = call('HGETALL', key), {}
  for i = 1, #found, 2 do held[found[i]] = found[i + 1] end
  return held
end

records = all_of(K.sender)
local infos, known = all_of(K.senderinfo), {} -- number → index, of this profile
for idx, number in pairs(all_of(K.numbers)) do
  local s = sender_of(idx)
  if s and s.p == p then known[number] = idx end
end

-- The sender's record and info as they shall be, and as they are.
local function store(idx, number, field, record, info)
  call('HSET', K.numbers, idx, number)
  if field ~= number then call('HDEL', K.senderinfo, number) end -- as earlier releases kept it
  call('HSET', K.senderinfo, field, info)
  call('HSET', K.sender, idx, record)
  records[idx], infos[field], senders[idx] = record, info, nil
end

local joined, left, evicted = 0, 0, {}
for _, owner in ipairs(call('SMEMBERS', K.evict)) do evicted[owner] = true end
for i = 5, #ARGV, 6 do
  local number, rate, class, state, group, info = unpack(ARGV, i, i + 5)
  local field = field_of(number, profile)
  local held = infos[field]
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
  local home, record = 'c' .. p .. '.' .. class, rate .. ' ' .. p .. ' ' .. class .. ' ' .. state .. ' ' .. group
  info = info:gsub('"index":0', '"index":' .. idx, 1)
  if before and (before.home ~= home or not active) then leave_pool(before) end
  if sub(group, 1, 1) == '@' then call('HSET', K.rates, 'g' .. group, rate) end
  if record ~= records[idx] or info ~= held or not known[number] then store(idx, number, field, record, info) end
  known[number] = nil
  local s = sender_of(idx)
  if active and (s ~= before or evicted['s' .. idx]) then join_pool(s, now) end
  -- its people stay with the old profile, or with the pool where only campaigns that name it have it now
  if before and (before.p ~= p or s.named) then call('SADD', K.evict, 's' .. idx) end
end

for number, idx in pairs(known) do
  local s = sender_of(idx)
  leave_pool(s)
  save_sender(s, 'x')
  local field = field_of(number, profile)
  local info, was = (infos[field] or ''):gsub('"active":true', '"active":false', 1)
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
