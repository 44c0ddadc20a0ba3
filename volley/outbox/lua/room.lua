-- What intake stands on: whether Redis has room for more.

-- How full the memory is, in percent, where that is more than `high_water` percent of what it may use; nil where there is room.
local function too_full(high_water)
  local info = call('INFO', 'memory')
  local used, most = tonumber(info:match('used_memory:(%d+)')), tonumber(info:match('maxmemory:(%d+)'))
  if not most or most == 0 or used * 100 <= most * high_water then return nil end
  return floor(used * 100 / most)
end
