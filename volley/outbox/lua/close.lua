-- close: the carrier answers again, as a message showed that was granted after the circuit had opened. Rates have saved up
-- nothing meanwhile: a bucket is charged from no earlier than take's credit before a message's moment.
-- ARGV: µs at which that message was granted
-- Returns: 1, or 0 where no circuit is open, or it opened since
--!flags allow-oom
local at = tonumber(call('HGET', K.circuit, 'at') or nil)
if not at or tonumber(ARGV[1]) <= at then return 0 end
call('DEL', K.circuit)
return 1
