-- What a dead node left behind, a piece at a time. When nothing is left its name goes, too, unless it
-- served queues that the asking node does not (ARGV[4] is not '').
-- KEYS: nodes, queues of the node, tags of the node, unacked, then its taken lists.
-- ARGV: node, seconds without a heartbeat that make it dead, limit, '' or 'keep'.
-- Returns {1 while it is dead, pairs of (tag or '', stored value) ..., } where an entry of a taken list has
-- the tag '' followed by the number of the list and the message.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local seen = redis.call('ZSCORE', KEYS[1], ARGV[1])
local limit = tonumber(ARGV[3])
local out = {1}

if seen and tonumber(seen) > now - tonumber(ARGV[2]) then
    return {0}
end
local tags = redis.call('HKEYS', KEYS[3])
for i = 1, math.min(#tags, limit) do
    local value = redis.call('HGET', KEYS[4], tags[i])
    if value then
        out[#out + 1] = tags[i]
        out[#out + 1] = 0
        out[#out + 1] = value
    else
        redis.call('HDEL', KEYS[3], tags[i])
    end
end
for k = 5, #KEYS do
    for _, message in ipairs(redis.call('LRANGE', KEYS[k], 0, limit - 1)) do
        out[#out + 1] = ''
        out[#out + 1] = k - 4
        out[#out + 1] = message
    end
end
if #out == 1 and #tags <= limit and ARGV[4] == '' then
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('DEL', KEYS[2], KEYS[3])
end
return out
