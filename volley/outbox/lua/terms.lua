-- What scripts stand on that write a campaign's own terms: how fast it goes, and from when on. Each is a letter, a field t<letter>,
-- and `po` names those that there are, so that take reads no more of a campaign that has none.
--   r cap, parts per 1,000 s: a bucket c<campaign> as all others · t start µs · q quiet hours (their windows: hours.lua)
--   b budget, micro-units (budget.lua) · f, o limits of failures and opt-outs, parts per million (producer/bill/keeping.py)

-- A cap changes from now on: what was charged at the slower rate is not waited for longer than the faster one asks.
local function set_cap(cid, milli, now)
  local name = 'c' .. cid
  local old, tat = tonumber(call('HGET', K.rates, name) or nil), tonumber(call('HGET', K.tat, name) or nil)
  if milli == '' then
    call('HDEL', K.rates, name)
    call('HDEL', K.tat, name)
    return
  end
  call('HSET', K.rates, name, milli)
  if old and tat and tat > now and tonumber(milli) > old then
    call('HSET', K.tat, name, int(now + ceil((tat - now) * old / tonumber(milli))))
  end
end

-- `text`: 'letter=value …' of those that are set, 'letter=' of those that are lifted; all others stay. `fresh`: nothing of it was sent before.
local function set_terms(cid, text, now, fresh)
  local key = K.campaign .. cid
  for letter, value in text:gmatch('(%a)=(%S*)') do
    if letter == 'r' then set_cap(cid, value, now) end
    if letter == 'b' then
      -- with a first budget it stands still until somebody has told what was spent before; `bn` is whose count that is: of one that
      -- was begun before another budget, nobody knows what went between the two
      if value ~= '' and not fresh and (call('HEXISTS', key, 'tb') == 0 or call('HEXISTS', key, 'bn') == 1) then
        call('HSET', key, 'bn', call('HINCRBY', key, 'bt', 1), 'bz', 1, 'bc', 0)
      elseif call('HEXISTS', key, 'bn') == 0 then
        call('HDEL', key, 'bz')
      end
      call('HDEL', key, 'be')
    end
    if value == '' then call('HDEL', key, 't' .. letter) else call('HSET', key, 't' .. letter, value) end
  end
  local held = call('HMGET', key, 'tr', 'tt', 'tq', 'tb', 'tf', 'to')
  local po = ''
  for i, letter in ipairs({ 'r', 't', 'q', 'b', 'f', 'o' }) do
    if held[i] then po = po .. letter end
  end
  if po == '' then call('HDEL', key, 'po') else call('HSET', key, 'po', po) end
end
