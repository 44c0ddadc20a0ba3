-- optins: people who want to hear from a profile again. A STOP that they said before, and that comes late, is over.
-- ARGV: profile index, profile id, the action to record ('' for none), recipients
-- Returns: how many had opted out
--!flags allow-oom
local now, removed = clock(), 0
for i = 4, #ARGV do
  removed = removed + call('SREM', K.optout .. ARGV[1], ARGV[i])
  call('ZADD', K.said, 'GT', int(now), ARGV[1] .. ':' .. ARGV[i])
  word(ARGV[2], ARGV[i], 0, now)
end
save_words()
acted(ARGV[3])
return removed
