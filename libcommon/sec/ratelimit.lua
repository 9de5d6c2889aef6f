-- KEYS[1]: the counts. ARGV: requests a minute (0: none), tokens a second, capacity (0: no bucket).
-- The same rules as limit_apply in ratelimit.c. Returns {allowed, scope, limit, remaining, reset, retry}.
local per_minute, rate, capacity = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local h = redis.call('HMGET', KEYS[1], 'm', 'c', 'b', 't', 'u')
local minute, count, before = tonumber(h[1]) or 0, tonumber(h[2]) or 0, tonumber(h[3]) or 0
local tokens, at = tonumber(h[4]) or capacity, tonumber(h[5])

local this = math.floor(now / 60)
local into = now - this * 60
if minute ~= this then
    before = (minute == this - 1) and count or 0
    count = 0
end
local used = before * (1 - into / 60) + count
if at then
    tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
end

local minute_ok = per_minute == 0 or used + 1 <= per_minute + 1e-9
local bucket_ok = capacity == 0 or tokens >= 1 - 1e-9
local allowed = minute_ok and bucket_ok
if allowed then
    count = count + 1
    used = used + 1
    tokens = tokens - 1
    redis.call('HSET', KEYS[1], 'm', this, 'c', count, 'b', before, 't', string.format('%.6f', tokens),
               'u', string.format('%.6f', now))
    local idle = capacity > 0 and math.ceil(capacity / rate) or 0
    redis.call('EXPIRE', KEYS[1], math.max(120, idle))
end

if (not minute_ok) or (bucket_ok and per_minute > 0) then
    local reset = 60 - into
    if not minute_ok then
        if count <= per_minute - 1 and before > 0 then
            reset = 60 * (1 - (per_minute - 1 - count) / before) - into
        else
            reset = 60 - into + math.max(0, 60 * (1 - (per_minute - 1) / math.max(1, count)))
        end
    end
    reset = math.max(1, math.ceil(reset))
    return {allowed and 1 or 0, 1, per_minute, math.max(0, math.floor(per_minute - used + 1e-9)), reset,
            allowed and 0 or reset}
end
local full = math.max(0, math.ceil((capacity - tokens) / rate))
local retry = allowed and 0 or math.max(1, math.ceil((1 - tokens) / rate))
return {allowed and 1 or 0, 2, capacity, math.max(0, math.floor(tokens + 1e-9)), full, retry}
