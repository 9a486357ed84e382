-- The load of `sluice-bench load` for wrk, as a second opinion from another program:
--   wrk -t1 -c64 -d10s --latency -s Benchmarks/wrk-write.lua http://127.0.0.1:8086
-- Lines per request: wrk ... -- 10. Every request carries the same points, with new times.

local lines = 10
local stamp = 1700000000000

function init(arguments)
  lines = tonumber(arguments[1]) or lines
  wrk.method = "POST"
  wrk.path = "/write?db=bench"
  wrk.headers["Content-Type"] = "text/plain; charset=utf-8"
end

function request()
  stamp = stamp + 1
  local body = {}
  for line = 1, lines do
    body[line] = string.format(
      "cpu,cpu=cpu%d,host=server01 usage_idle=91.237,usage_system=3.21,usage_user=5.21 %d000000\n", line, stamp)
  end
  return wrk.format(nil, nil, nil, table.concat(body))
end

function response(status)
  if status ~= 204 then print("status " .. status) end
end
