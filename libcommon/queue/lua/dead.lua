-- Names of nodes without a heartbeat for ARGV[1] seconds, at most ARGV[2]. KEYS: nodes.
local time = redis.call('TIME')
local limit = string.format('%.6f', time[1] + time[2] / 1000000 - ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', limit, 'LIMIT', 0, ARGV[2])
