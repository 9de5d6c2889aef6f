-- Moves what is due from the waiting ones of a queue to its lists.
-- KEYS: waiting, lists of the steps 0, 3, 6, 9. ARGV: limit. Members: digit of the step, message.
-- Returns how many went, and the seconds until the next is due (text; '' for none).
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now), 'LIMIT', 0, ARGV[1])

for _, member in ipairs(due) do
    redis.call('ZREM', KEYS[1], member)
    redis.call('RPUSH', KEYS[2 + tonumber(string.sub(member, 1, 1)) / 3], string.sub(member, 2))
end
local head = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {#due, head[2] and string.format('%.6f', head[2] - now) or ''}
