-- Puts one unacked message back that its holder lost. Nothing happens unless it is still as it was
-- looked at: same value, and its lease not renewed since.
-- KEYS: unacked, unacked_index, tags of the dead node, target list.
-- ARGV: tag, value that was seen, text that goes back, 'node' (its node is dead) or the seconds after
-- which its lease is over.
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
    if ARGV[4] == 'node' then
        redis.call('HDEL', KEYS[3], ARGV[1])
    end
    return 0
end
if ARGV[4] == 'node' then
    -- The dead node's: only while the index has the score that this node wrote.
    local mine = redis.call('HGET', KEYS[3], ARGV[1])
    redis.call('HDEL', KEYS[3], ARGV[1])
    if not (mine and score and tonumber(mine) == tonumber(score)) then
        return 0
    end
else
    local time = redis.call('TIME')
    if score and tonumber(score) > time[1] + time[2] / 1000000 - tonumber(ARGV[4]) then
        return 0
    end
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[4], ARGV[3])
return 1
