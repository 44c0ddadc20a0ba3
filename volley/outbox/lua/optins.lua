-- optins: people who want to hear from a profile again.
-- ARGV: profile index, recipients
-- Returns: how many had opted out
local removed = 0
for i = 2, #ARGV do removed = removed + call('SREM', K.optout .. ARGV[1], ARGV[i]) end
return removed
