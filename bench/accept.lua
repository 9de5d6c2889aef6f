-- About 1 KB of question a request, each with its own number.
local n = 0
local filler = string.rep("The supplier's terms were read and noted. ", 16)

function request()
    n = n + 1
    local body = string.format('{"query": "Which supplier do we take? (%d)", "mode": "async", ' ..
        '"options": ["Alder", "Birch", "Neither"], "context": {"notes": "%s", "revenue": 1200000, ' ..
        '"margin": 0.31, "contacts": [{"name": "A", "age": 41}, {"name": "B", "age": 52}]}}', n, filler)
    return wrk.format("POST", "/api/v1/decision/analyze",
        {["Content-Type"] = "application/json", ["X-API-Key"] = os.getenv("API_KEY")}, body)
end

local threads = {}
function setup(thread) table.insert(threads, thread) end

function done(summary, latency)
    io.write(string.format("RESULT %d %d %d %.3f %.3f %.6f\n", summary.requests,
        summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write +
        summary.errors.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        summary.duration / 1e6))
end
