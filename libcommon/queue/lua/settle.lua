-- Ends a delivery: acknowledges it and, in the same step, puts a text elsewhere (back to a queue, to
-- the dead letters, to the waiting ones).
-- KEYS: unacked, unacked_index, tags of this node, target. ARGV: tag, how, text, score.
--   how: ack | front (RPUSH) | back (LPUSH) | park (ZADD by time) | again (as park; the text is a retry)
-- Returns 1 done; 0 the tag is not ours any more, nothing was changed; 2 park: it is due already and
-- stays in hand. Repeating it after a lost reply gives 0 and changes nothing.
local tag, how = ARGV[1], ARGV[2]
local mine = redis.call('HGET', KEYS[3], tag)
local score = redis.call('ZSCORE', KEYS[2], tag)

if not (mine and score and tonumber(mine) == tonumber(score)) then
    redis.call('HDEL', KEYS[3], tag)
    return 0
end
if how == 'park' then
    local time = redis.call('TIME')
    if tonumber(ARGV[4]) <= time[1] + time[2] / 1000000 then
        return 2
    end
end
redis.call('ZREM', KEYS[2], tag)
redis.call('HDEL', KEYS[1], tag)
redis.call('HDEL', KEYS[3], tag)
if how == 'front' then
    redis.call('RPUSH', KEYS[4], ARGV[3])
elseif how == 'back' then
    redis.call('LPUSH', KEYS[4], ARGV[3])
elseif how == 'park' or how == 'again' then
    redis.call('ZADD', KEYS[4], ARGV[4], ARGV[3])
end
return 1
