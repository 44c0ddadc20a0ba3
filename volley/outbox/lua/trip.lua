-- trip: the carrier does not answer. Nothing is granted for a while, longer each time; then one message at a time (turns.lua).
-- ARGV: µs at which the message that failed was granted, why
-- Returns: {1, or 0 where this is no news; µs of the last trip}
--!flags allow-oom
local FIRST_US, LONGEST_US = 2000000, 30000000
local taken, now = tonumber(ARGV[1]), clock()
local at = tonumber(call('HGET', K.circuit, 'at') or nil)
-- what was granted before the circuit opened tells nothing new: only a probe that failed does
if at and taken <= at then return { 0, int(at) } end
local trips = call('HINCRBY', K.circuit, 'trips', 1)
local rest = min(LONGEST_US, FIRST_US * 2 ^ min(10, trips - 1))
call('HSETNX', K.circuit, 'since', int(now))
call('HSET', K.circuit, 'at', int(now), 'until', int(now + rest), 'why', ARGV[2], 'probes', 0)
return { 1, int(now) }
