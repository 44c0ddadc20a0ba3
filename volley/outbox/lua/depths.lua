-- depths: how campaigns stand, and where what is ready of them waits. Reads only, some 5 µs a campaign.
-- ARGV: most lanes to look at for a campaign, how many fields, the fields' names (the first are st, ln, n.), then campaigns
-- Returns: {now µs, {field values in order, refs in lanes of one sender, refs that no sender may serve} a campaign, or {} for
--           one that is not there}. -1 refs: more lanes than may be looked at.
--!flags no-writes
local most, n = tonumber(ARGV[1]), tonumber(ARGV[2])
local names = {}
for i = 1, n do names[i] = ARGV[2 + i] end
names[n + 1], names[n + 2] = 'p', 'sd'

-- Refs in the lanes of classes, which any of their senders may take; and of those, what nobody may.
local function in_classes(cid, p)
  local shared, nobody, classes = 0, 0, classes_of(p)
  for i = 1, #classes do
    local class = classes[i][1]
    local length = call('LLEN', K.lane .. cid .. ':c' .. p .. '.' .. class)
    if class == classes.nobody then nobody = length else shared = shared + length end
  end
  return shared, nobody
end

local function depth_of(cid)
  local key = K.campaign .. cid
  local found = call('HMGET', key, unpack(names))
  if not found[1] then return {} end
  local own, nobody = 0, 0
  if tonumber(found[3] or 0) > 0 then
    local p, sd = found[n + 1], found[n + 2]
    own = tonumber(found[2])
    if sd == '' then
      if #classes_of(p) > most then
        own, nobody = -1, -1
      else
        local shared
        shared, nobody = in_classes(cid, p)
        own = max(0, own - shared)
      end
    end
  end
  found[n + 1], found[n + 2] = own, nobody
  return found
end

local answer = { int(clock()) }
for i = 3 + n, #ARGV do answer[#answer + 1] = depth_of(ARGV[i]) end
return answer
