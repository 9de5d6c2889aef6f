-- Takes up to ARGV[1] messages off the first lists that have any and writes them down as unacked in
-- the same step, so that a message is never in a process's memory alone.
-- KEYS: unacked, unacked_index, tags of this node, lists in the order of preference.
-- ARGV: count, then for each list the queue's name (as JSON text) that goes into the stored value.
-- Returns triples: number of the list (from 1), tag, message.
--
-- The value stored is text, '[message, "", "queue" ]': encoding it again would turn [] into {} and
-- change long numbers. The space before the bracket marks it as ours: Celery never writes it, and
-- reads over it. The last "delivery_tag" is the one of the properties; a message without one gets a
-- tag here, so that even a broken message can be acknowledged.
local room = tonumber(ARGV[1])
local out = {}
local time = redis.call('TIME')
local now = string.format('%.6f', time[1] + time[2] / 1000000)

local function tag_of(message)
    local tag
    for t in string.gmatch(message, '"delivery_tag"%s*:%s*"([^"\\]+)"') do
        tag = t
    end
    return tag or 'none-' .. redis.sha1hex(message)
end

local function take(list, queue, index)
    local message = redis.call('RPOP', list)
    if not message then
        return false
    end
    local tag = tag_of(message)
    local value = '[' .. message .. ', "", ' .. queue .. ' ]'
    local held = redis.call('HGET', KEYS[1], tag)
    if held == value then
        return true -- published twice under one tag, and the first is in hand
    end
    if held then
        tag = tag .. '-' .. now -- two messages under one tag: both are kept
    end
    redis.call('HSET', KEYS[1], tag, value)
    redis.call('ZADD', KEYS[2], now, tag)
    redis.call('HSET', KEYS[3], tag, now)
    out[#out + 1] = index
    out[#out + 1] = tag
    out[#out + 1] = message
    room = room - 1
    return true
end

for i = 4, #KEYS do
    while room > 0 and take(KEYS[i], ARGV[i - 2], i - 3) do
    end
end
return out
