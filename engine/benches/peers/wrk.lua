-- The benchmark's scenario, for wrk: GET / with a query built anew each time, the status checked.
local item = 0
local failed = 0

request = function()
  item = (item + 1) % 1000
  return wrk.format("GET", "/?item=" .. item)
end

response = function(status)
  if status ~= 200 then
    failed = failed + 1
  end
end
