-- receipts: the carrier says that it had these messages. Accepted always merges, whatever else was thought of them.
-- ARGV: moves, payload for the ledger, 23 bytes a message: campaign id c16, chunk I4, offset I2, parts B; then for each the
--       carrier's id of the attempt that it is about, '' where it counts in any case
-- Returns: messages whose state changed
--!flags allow-oom
learn_moves(ARGV[1])
local now, changed = clock(), 0
local retried = call('EXISTS', K.retried) == 1

-- Whether it is about an attempt before a retry: that says nothing of the one after it.
local function outdated(id) return retried and id and id ~= '' and call('ZSCORE', K.retried, id) end

-- Whether somebody is about to retry some of its messages, by what the ledger knew when they began (retry.lua).
local HOUR_US = 3600000000
local retrying = {}
local function in_doubt(cid)
  if retried and retrying[cid] == nil then
    retrying[cid] = tonumber(call('ZSCORE', K.retried, cid) or 0) > now - HOUR_US
  end
  return retrying[cid]
end

for at = 1, #ARGV[3], 23 do
  local cid = sub(ARGV[3], at, at + 15)
  local k, off = unpack_('>I4I2', ARGV[3], at + 16)
  local chunk, id = chunk_of(cid, k), ARGV[4 + (at - 1) / 23]
  -- delivered: whatever it is here, and if its chunk has left, it is not to be sent once more
  if id == '' and in_doubt(cid) then call('ZADD', K.heard, int(now + HOUR_US), sub(ARGV[3], at, at + 21) .. 'd') end
  if chunk and off < #chunk.text and not outdated(id) then
    if state_of(chunk, off) == 's' then
      -- its worker settles it, and knows more; should it never, reap finds here that the carrier has it
      call('ZADD', K.heard, int(now), sub(ARGV[3], at, at + 21))
    elseif move(chunk, off, 'a') then
      changed = changed + 1
      sent_parts(camp_of(cid), byte(ARGV[3], at + 22))
    end
  end
end
save_chunks(call('XADD', K.ledger, '*', 'v', '1', 'k', 'receipts', 'p', ARGV[2]))
save_camps()
return changed
