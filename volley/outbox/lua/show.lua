-- show: a worker is there, for a while.
-- ARGV: worker, how long s, then its facts: name, value, name, …
-- Returns: now µs
--!flags allow-oom
local key, now = K.worker .. ARGV[1], clock()
call('HSET', key, 'seen_us', int(now), unpack(ARGV, 3))
call('EXPIRE', key, ARGV[2])
call('ZADD', K.workers, int(now), ARGV[1])
call('ZREMRANGEBYSCORE', K.workers, '-inf', int(now - 3600000000))
return int(now)
