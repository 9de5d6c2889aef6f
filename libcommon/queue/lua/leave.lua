-- The orderly end of a node: what it had taken but not yet written down goes back, its name goes.
-- KEYS: nodes, queues of the node, tags of the node, then pairs of taken list and queue.
-- ARGV: node. Returns 1, or 0 when tags are left (the sweep takes care of them).
for i = 4, #KEYS, 2 do
    while redis.call('LMOVE', KEYS[i], KEYS[i + 1], 'LEFT', 'RIGHT') do
    end
end
if redis.call('HLEN', KEYS[3]) > 0 then
    return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
return 1
