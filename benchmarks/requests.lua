-- Sends the requests of a file in turn: method, path, header and body of each, with tabs between, and "\n" for line ends.
local requests, last = {}, 0

function init(args)
   for line in io.lines(args[1]) do
      local method, path, header, body = line:match("^(.-)\t(.-)\t(.-)\t(.*)$")
      local headers = {}
      local name, value = header:match("^(.-): (.*)$")
      if name then headers[name] = value end
      requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body:gsub("\\n", "\n") or nil)
   end
end

function request()
   last = last % #requests + 1
   return requests[last]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests":%d,"seconds":%.6f,"p50":%.6f,"p99":%.6f,"refused":%d,"broken":%d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
