-- What scripts that change opt-outs stand on: each change goes to the ledger in the same call, so that it outlives Redis.
local words = {}

-- A person wants nothing more of a profile (1) or wants to hear from it again (0), as of a moment.
local function word(profile, recipient, out, at)
  words[#words + 1] = profile .. ' ' .. recipient .. ' ' .. out .. ' ' .. int(at)
end

local function save_words()
  if #words > 0 then call('XADD', K.ledger, '*', 'v', '1', 'k', 'optouts', 'p', concat(words, '\n')) end
end
