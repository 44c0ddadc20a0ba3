-- inbound: what people said. STOP and START count in the order in which they were said, not in that of their arrival, and
-- from its first sync on for a profile that nobody has synced.
-- ARGV: payload for the ledger ('' for none), how long a word is remembered µs,
-- then for each: profile id, recipient, stop | start | '' (no such word), moment µs
-- Returns: {people added to opt-outs, people removed, those for profiles that nobody has synced}
--!flags allow-oom
local oldest = clock() - tonumber(ARGV[2])
local added, removed, unknown = 0, 0, 0

-- A START must be newer than the last word, and not older than what is remembered; a STOP of the same moment prevails.
local function counts(said, at, last)
  if said == 'stop' then return at >= tonumber(last or 0) end
  return at > tonumber(last or oldest)
end

local function hear(profile, recipient, said, at)
  local p = call('HGET', K.profile, profile)
  if not p then
    unknown = unknown + 1
    if said ~= '' and profile ~= '' then p = index_of(profile) end
  end
  if said == '' or not p then return end
  local who = p .. ':' .. recipient
  if not counts(said, at, call('ZSCORE', K.said, who)) then return end
  call('ZADD', K.said, int(at), who)
  word(profile, recipient, said == 'stop' and 1 or 0, at)
  if said == 'stop' then
    added = added + call('SADD', K.optout .. p, recipient)
  else
    removed = removed + call('SREM', K.optout .. p, recipient)
  end
end

for i = 3, #ARGV, 4 do hear(ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])) end
call('ZREMRANGEBYSCORE', K.said, '-inf', int(oldest))
save_words()
if ARGV[1] ~= '' then call('XADD', K.ledger, '*', 'v', '1', 'k', 'inbound', 'p', ARGV[1]) end
return { added, removed, unknown }
