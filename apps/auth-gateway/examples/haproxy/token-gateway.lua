-- Asks the auth gateway about a request, for haproxy.cfg. Leaves in `txn.token_status` what it answered
-- (0: nothing), in `txn.token_challenge` its WWW-Authenticate, in `txn.token_retry_after` its Retry-After, and
-- puts its X-Token-* on the request.

-- A little more than the backend's time-outs together: those should be what ends it.
local PATIENCE_MS = 2500

-- All that the gateway reads.
local ASKED_WITH = { 'authorization', 'x-min-position' }

-- All values that the client sent, not only the first: the gateway refuses who sends two. HAProxy counts from 0.
local function all_values(header)
  local values = {}
  local i = 0
  while header and header[i] do
    table.insert(values, header[i])
    i = i + 1
  end
  return values
end

core.register_action('ask_token_gateway', { 'http-req' }, function(txn)
  local request = txn.http:req_get_headers()
  -- Whose failures count is who is connected, whatever the client wrote.
  local headers = { host = { 'token-gateway' }, ['x-forwarded-for'] = { txn.sf:src() } }
  for _, name in ipairs(ASKED_WITH) do
    if request[name] then headers[name] = all_values(request[name]) end
  end

  local answer = core.httpclient():get({
    url = 'http://token-gateway/verify',
    dst = 'abns@token-gateway',
    headers = headers,
    timeout = PATIENCE_MS,
  })
  if not answer or not answer.status then return end

  local told = answer.headers or {}
  if answer.status == 200 then
    for name, values in pairs(told) do
      if name:sub(1, 8) == 'x-token-' then txn.http:req_set_header(name, values[0]) end
    end
  elseif answer.status == 401 and told['www-authenticate'] then
    txn:set_var('txn.token_challenge', told['www-authenticate'][0])
  elseif answer.status == 429 and told['retry-after'] then
    txn:set_var('txn.token_retry_after', told['retry-after'][0])
  end
  txn:set_var('txn.token_status', answer.status)
end)
