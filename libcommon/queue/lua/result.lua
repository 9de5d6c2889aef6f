-- Stores a result and announces it on the channel of the same name; a SUCCESS is never overwritten.
-- KEYS: result. ARGV: document, seconds to keep (0: for ever).
local old = redis.call('GET', KEYS[1])
if old then
    local read, doc = pcall(cjson.decode, old)
    if read and type(doc) == 'table' and doc.status == 'SUCCESS' then
        return 0
    end
end
if tonumber(ARGV[2]) > 0 then
    redis.call('SETEX', KEYS[1], ARGV[2], ARGV[1])
else
    redis.call('SET', KEYS[1], ARGV[1])
end
redis.call('PUBLISH', KEYS[1], ARGV[1])
return 1
