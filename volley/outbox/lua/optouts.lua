-- optouts: people who want nothing from a profile any more. take looks at this set before every grant.
-- ARGV: profile index, profile id, the action to record ('' for none), recipients
-- Returns: how many were not there yet
--!flags allow-oom
local now, added = clock(), 0
for i = 4, #ARGV do
  added = added + call('SADD', K.optout .. ARGV[1], ARGV[i])
  word(ARGV[2], ARGV[i], 1, now) -- also of those who were there: an older release may have told nobody
end
save_words()
acted(ARGV[3])
return added
