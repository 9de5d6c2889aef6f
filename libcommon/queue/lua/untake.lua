-- Moves one message of a dead node's taken list back to its queue.
-- KEYS: taken list, target list. ARGV: message that was seen, text that goes back.
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then
    return 0
end
redis.call('RPUSH', KEYS[2], ARGV[2])
return 1
