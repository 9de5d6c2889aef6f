-- Heartbeat of a node and renewal of what it has in hand.
-- KEYS: nodes, queues of this node, unacked, unacked_index, tags of this node.
-- ARGV: node, its queues, then the tags it holds. Returns the tags that it holds no longer.
--
-- A tag is ours while the index has the score that we wrote last (kept in our tags): whoever took the
-- message over, a stock worker included, wrote another one.
local time = redis.call('TIME')
local now = string.format('%.6f', time[1] + time[2] / 1000000)
local lost = {}

redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('SET', KEYS[2], ARGV[2])
for i = 3, #ARGV do
    local tag = ARGV[i]
    local mine = redis.call('HGET', KEYS[5], tag)
    local score = redis.call('ZSCORE', KEYS[4], tag)
    if mine and score and tonumber(mine) == tonumber(score)
        and redis.call('HEXISTS', KEYS[3], tag) == 1 then
        redis.call('ZADD', KEYS[4], 'XX', now, tag)
        redis.call('HSET', KEYS[5], tag, now)
    else
        redis.call('HDEL', KEYS[5], tag)
        lost[#lost + 1] = tag
    end
end
return lost
