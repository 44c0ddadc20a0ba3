-- evict: moves what waits for a sender that has left the pool to others, some refs a call. Messages whose campaign named
-- this very sender stay: nobody else may send them.
-- ARGV: sender index, most refs, pin days
-- Returns: refs moved; fewer than `most`: this sender is done
local idx, most, pin_days = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local s, moved = sender_of(idx), 0
local today = floor(clock() / DAY_US)
if s and not s.active then
  for _, pr in ipairs({ 'u', 'b' }) do
    local line = K.ready .. pr .. ':s' .. idx
    local ids = call('ZRANGE', line, 0, -1)
    for i = 1, #ids do
      local c, key = camp_of(ids[i]), K.lane .. ids[i] .. ':s' .. idx
      if c and c.sd == '' and moved < most then
        local refs = call('LPOP', key, most - moved) or {}
        for j = 1, #refs do
          local k, _, _, _, _, _, rcpt = unpack_(REF, refs[j])
          c.dln = c.dln - 1
          requeue(c, refs[j], rcpt, k, today, pin_days, false)
        end
        moved = moved + #refs
        if call('EXISTS', key) == 0 then call('ZREM', line, ids[i]) end
      end
    end
    if call('EXISTS', line) == 0 then call('ZREM', K.busy .. pr .. ':' .. s.p, idx) end
  end
end
if moved < most then call('SREM', K.evict, idx) end
save_camps()
return moved
