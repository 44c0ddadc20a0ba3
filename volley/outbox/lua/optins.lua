-- optins: people who want to hear from a profile again. A STOP that they said before, and that comes late, is over.
-- ARGV: profile index, recipients
-- Returns: how many had opted out
--!flags allow-oom
local now, removed = int(clock()), 0
for i = 2, #ARGV do
  removed = removed + call('SREM', K.optout .. ARGV[1], ARGV[i])
  call('ZADD', K.said, 'GT', now, ARGV[1] .. ':' .. ARGV[i])
end
return removed
