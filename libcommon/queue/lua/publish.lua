-- KEYS: list, binding, permanent binding. ARGV: message, member of the bindings.
-- The bindings are what stock consumers and producers resolve a queue with; 5.7 reads both.
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('SADD', KEYS[3], ARGV[2])
return redis.call('LPUSH', KEYS[1], ARGV[1])
