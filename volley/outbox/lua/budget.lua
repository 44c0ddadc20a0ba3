-- What scripts stand on that reckon with a campaign's budget, in micro-units: what was granted is charged at its estimate (bc), what
-- was provably not sent is given back, and what the carrier asked for otherwise is set right from the ledger (bd). So what is in
-- flight never exceeds it. pp: the price of a part, one for all or by leading digits.

local function has_budget(c) return c.po and c.po:find('b', 1, true) end

local function estimate_of(c, ref)
  if not c.prices then
    local text = call('HGET', K.campaign .. c.id, 'pp') or '0'
    c.prices = tonumber(text) or prefixes_of(text)
  end
  local price = type(c.prices) == 'number' and c.prices or value_of(c.prices, ref)
  return price * byte(ref, 7)
end

-- What is left of it.
local function left_of(c)
  if not c.left then
    local f = call('HMGET', K.campaign .. c.id, 'tb', 'bc', 'bd', 'bz')
    c.left, c.broke = tonumber(f[1] or 0) - tonumber(f[2] or 0) - tonumber(f[3] or 0), f[4]
  end
  return c.left
end

-- Charges a message, or gives it back (`sign` -1).
local function spend(c, ref, sign)
  local micros = sign * estimate_of(c, ref)
  c.left = left_of(c) - micros
  c.spent = (c.spent or 0) + micros
end

-- Writes what the call spent; a campaign that had come to its end is looked at again once it has got something back. Nothing is given
-- back while what was spent before the first budget is being counted (bn): whoever counts may not have seen it as charged.
local function save_budgets(now)
  for _, c in pairs(camps) do
    local key = c and K.campaign .. c.id
    if c and c.spent and (c.spent > 0 or call('HEXISTS', key, 'bn') == 0) then
      call('HINCRBY', key, 'bc', int(c.spent))
      if c.spent < 0 and call('HDEL', key, 'bz') == 1 then call('ZADD', K.asleep, int(now), c.id) end
    end
  end
end
