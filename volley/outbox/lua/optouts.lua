-- optouts: people who want nothing from a profile any more. take looks at this set before every grant.
-- ARGV: profile index, recipients
-- Returns: how many were not there yet
--!flags allow-oom
local added = 0
for i = 2, #ARGV do added = added + call('SADD', K.optout .. ARGV[1], ARGV[i]) end
return added
