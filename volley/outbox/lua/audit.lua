-- audit: all that says where a campaign's messages are, read at one moment. Changes nothing.
-- ARGV: campaign, first chunk, chunk after the last, most refs and flights to read
-- Returns: {now µs, newest entry of the ledger stream ('': none), the campaign's fields (none: it is not there),
--           states of these chunks, 500 a table (nil: retired), and unless there are more of them than may be read:
--           {lane owner, its refs, lane owner, …}, what of it rests in later, {token, flight, token, …},
--           chunk I4 and offset I2 of each unknown message that has no doubt, chunks that are parked}
--!flags no-writes
local cid, from, to, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local newest = call('XREVRANGE', K.ledger, '+', '-', 'COUNT', 1)[1]
local fields = call('HGETALL', K.campaign .. cid)
local answer = { int(clock()), newest and newest[1] or '', fields, {} }
if #fields == 0 then return answer end

to = min(to, tonumber(call('HGET', K.campaign .. cid, 'ch')))
for k = from, to - 1, 500 do
  local names = {}
  for i = k, min(k + 500, to) - 1 do names[#names + 1] = K.states .. cid .. ':' .. i end
  table.insert(answer[4], call('MGET', unpack(names)))
end

local owners = call('SMEMBERS', K.lanes .. cid)
local held = call('ZCARD', K.later) + call('ZCARD', K.flights) + tonumber(call('HGET', K.campaign .. cid, 'n?') or 0)
for i = 1, #owners do held = held + call('LLEN', K.lane .. cid .. ':' .. owners[i]) end
if held > most then return answer end

local lanes, rests, flights = {}, {}, {}
for i = 1, #owners do
  lanes[2 * i - 1] = owners[i]
  lanes[2 * i] = call('LRANGE', K.lane .. cid .. ':' .. owners[i], 0, -1)
end
local later = call('ZRANGE', K.later, 0, -1)
for i = 1, #later do
  if sub(later[i], 1, 16) == cid then rests[#rests + 1] = sub(later[i], 17) end
end
local tokens = call('ZRANGE', K.flights, 0, -1)
for i = 1, #tokens do
  flights[2 * i - 1] = tokens[i]
  flights[2 * i] = call('GET', K.flight .. tokens[i]) or ''
end
local undoubted = {}
for k = from, to - 1 do
  local text = answer[4][floor((k - from) / 500) + 1][(k - from) % 500 + 1]
  local at = text and text:find('?', 1, true)
  while at do
    if call('HEXISTS', K.unknown, spot(cid, k, at - 1)) == 0 then undoubted[#undoubted + 1] = pack('>I4I2', k, at - 1) end
    at = text:find('?', at + 1, true)
  end
end
answer[5], answer[6], answer[7], answer[8] = lanes, rests, flights, undoubted
answer[9] = call('ZRANGE', K.parked .. cid, 0, -1)
return answer
