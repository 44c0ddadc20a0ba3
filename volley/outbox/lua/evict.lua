-- evict: moves what waits in the lanes of one owner that does not serve it any more, some refs a call: a sender that has
-- left the pool or the profile, a class that the profile has no longer. Messages whose campaign named this very sender stay:
-- nobody else may send them.
-- ARGV: lane owner, most refs, pin days
-- Returns: refs moved; fewer than `most`: this owner is done
--!flags allow-oom
local owner, most, pin_days = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local s = sub(owner, 1, 1) == 's' and sender_of(sub(owner, 2))
local profile, class = owner:match('^c(%d+)%.(.*)$')
local today, moved = floor(clock() / DAY_US), 0

local function serves(c)
  if class then return classes_of(profile).has[class] end
  return c.sd ~= '' or not s or (s.active and s.p == c.p and not s.named)
end

local function move_lane(c, pr)
  local key = K.lane .. c.id .. ':' .. owner
  local refs = call('LPOP', key, most - moved) or {}
  for i = 1, #refs do
    if not is_nobody(owner) then c.dln = c.dln - 1 end
    local k = place_in(refs[i])
    requeue(c, refs[i], k, today, pin_days, false)
  end
  moved = moved + #refs
  if call('EXISTS', key) == 0 then call('ZREM', K.ready .. pr .. ':' .. owner, c.id) end
end

for _, pr in ipairs({ 'u', 'b' }) do
  local ids = call('ZRANGE', K.ready .. pr .. ':' .. owner, 0, -1)
  for i = 1, #ids do
    local c = moved < most and camp_of(ids[i])
    if c and not serves(c) then move_lane(c, pr) end
  end
  unmark(pr, owner)
end
if moved < most then call('SREM', K.evict, owner) end
save_camps()
return moved
