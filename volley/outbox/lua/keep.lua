-- keep: a body that the carrier signed and nobody can read goes to the ledger's quarantine, as long as there is room.
-- ARGV: body, what is wrong with it, most entries in the ledger stream
-- Returns: 1, or 0 where the stream is full and it was not kept
if call('XLEN', K.ledger) >= tonumber(ARGV[3]) then return 0 end
call('XADD', K.ledger, '*', 'v', '1', 'k', 'unreadable', 'b', ARGV[1], 'e', ARGV[2], 't', int(clock()))
return 1
