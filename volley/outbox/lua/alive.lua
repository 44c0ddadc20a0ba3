-- alive: jobs have shown life.
-- ARGV: µs within which they must again (0: they shall be armed elsewhere at once), jobs
-- Returns: how many were not known
--!flags allow-oom
local due, added = int(clock() + ARGV[1]), 0
for i = 2, #ARGV do added = added + call('ZADD', K.due, due, ARGV[i]) end
return added
