-- Lists unacked messages whose lease is over. Changes nothing but index entries that have no message.
-- KEYS: unacked, unacked_index. ARGV: age that is too old for ours, for foreign ones (seconds), offset, limit.
-- Returns how many were looked at and stay, then pairs of tag and stored value.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local ours, foreign = now - ARGV[1], now - ARGV[2]
local rows = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.6f', math.max(ours, foreign)),
    'WITHSCORES', 'LIMIT', ARGV[3], ARGV[4])
local out = {0}

for i = 1, #rows, 2 do
    local value = redis.call('HGET', KEYS[1], rows[i])
    if not value then
        redis.call('ZREM', KEYS[2], rows[i])
    else
        local limit = string.sub(value, -2) == ' ]' and ours or foreign
        out[1] = out[1] + 1
        if tonumber(rows[i + 1]) <= limit then
            out[#out + 1] = rows[i]
            out[#out + 1] = value
        end
    end
end
return out
