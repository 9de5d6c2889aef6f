-- Messages that wait: KEYS are the lists of a queue.
local sum = 0
for _, key in ipairs(KEYS) do
    sum = sum + redis.call('LLEN', key)
end
return sum
