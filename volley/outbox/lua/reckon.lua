-- reckon: a campaign's windows as they are reckoned now. It may not be sealed yet.
-- ARGV: campaign, when they are to be reckoned anew µs, the hours by which they were reckoned ('': the campaign has others, and is
--       about to get these), group of each chunk (I2 each; '': as it is), the groups' zones as JSON ('': as they are), windows of all
--       groups together, then those of each group, from 0 on ('begin-end …', seconds)
-- Returns: 1, or 0 where it has got other hours meanwhile
--!flags allow-oom
local cid, now = ARGV[1], clock()
local key = K.hours .. cid
if ARGV[3] ~= '' and call('HGET', K.campaign .. cid, 'tq') ~= ARGV[3] then return 0 end
if ARGV[4] ~= '' then call('HSET', key, 'of', ARGV[4]) end
if ARGV[5] ~= '' then call('HSET', key, 'zones', ARGV[5]) end
call('HSET', key, '*', ARGV[6], 'n', #ARGV - 6)
for i = 7, #ARGV do call('HSET', key, i - 7, ARGV[i]) end
call('HSET', key, '>', int(now)) -- whatever opens is looked at anew
call('ZADD', K.reckon, ARGV[2], cid)
local c = camp_of(cid)
if not c then call('EXPIRE', key, 7200) end -- until it is sealed, or put back by a rebuild: both keep it
if c and c.st == 'r' then call('ZADD', K.asleep, int(now), cid) end
return 1
