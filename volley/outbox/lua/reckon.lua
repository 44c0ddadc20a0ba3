-- reckon: a campaign's windows as they are reckoned now. It may not be sealed yet.
-- ARGV: campaign, when they are to be reckoned anew µs, group of each chunk (I2 each; '': as it is), windows of all groups
--       together, then those of each group, from 0 on ('begin-end …', seconds)
-- Returns: 1
--!flags allow-oom
local cid, now = ARGV[1], clock()
local key = K.hours .. cid
if ARGV[3] ~= '' then call('HSET', key, 'of', ARGV[3]) end
call('HSET', key, '*', ARGV[4], 'n', #ARGV - 4)
for i = 5, #ARGV do call('HSET', key, i - 5, ARGV[i]) end
call('HSET', key, '>', int(now)) -- whatever opens is looked at anew
call('ZADD', K.reckon, ARGV[2], cid)
local c = camp_of(cid)
if c and c.st == 'r' then call('ZADD', K.asleep, int(now), cid) end
return 1
