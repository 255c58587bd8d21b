"""The scripts that Redis runs as one step."""

from __future__ import annotations

from typing import Final

__all__ = ["GIVE_BACK", "TAKE"]

TAKE: Final = """
-- KEYS: buckets. ARGV: number of withdrawals; interval (ms) of each bucket; then for
-- each withdrawal: the outer one (0: none), its number of draws, and for each draw
-- the bucket, the cost and the burst (ms).
-- Returns for each withdrawal: allowed, the draw that was too much (0: none), the ms
-- until it would pass; then for each bucket the ms until it is full again.
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000 + tonumber(now[2]) / 1000
local count = tonumber(ARGV[1])
local at = 2
local arrivals, intervals, changed = {}, {}, {}
local stored = #KEYS > 0 and redis.call('MGET', unpack(KEYS)) or {}
for i = 1, #KEYS do
  local found = tonumber(stored[i] or '')
  arrivals[i] = found and found > now and found < 1e15 and found or now
  intervals[i] = tonumber(ARGV[at])
  at = at + 1
end
local passed, answer = {}, {}
for w = 1, count do
  local outer, draws = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  at = at + 2
  local refused, excess, planned = 0, 0, {}
  local open = outer == 0 or passed[outer]
  for d = 1, draws do
    local b, cost = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    local burst = tonumber(ARGV[at + 2])
    at = at + 3
    if open and refused == 0 then
      local after = (planned[b] or arrivals[b]) + cost * intervals[b]
      if cost > 0 and after - now - burst > 0.001 then
        refused, excess = d, after - now - burst
      else
        planned[b] = after
      end
    end
  end
  passed[w] = open and refused == 0
  if passed[w] then
    for b, after in pairs(planned) do
      arrivals[b] = after
      changed[b] = true
    end
  end
  answer[w] = {passed[w] and 1 or 0, refused, string.format('%.3f', excess)}
end
for b in pairs(changed) do
  local left = math.max(1, math.ceil(arrivals[b] - now))
  redis.call('SET', KEYS[b], string.format('%.3f', arrivals[b]), 'PX', left)
end
for b = 1, #KEYS do
  answer[count + b] = string.format('%.3f', arrivals[b] - now)
end
return answer
"""
"""Decides all withdrawals together (GCRA); full buckets leave no key behind."""

GIVE_BACK: Final = """
-- KEYS: buckets. ARGV: for each the ms to give back.
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000 + tonumber(now[2]) / 1000
for i = 1, #KEYS do
  local found = tonumber(redis.call('GET', KEYS[i]) or '')
  if found then
    local after = found - tonumber(ARGV[i])
    if after <= now then
      redis.call('DEL', KEYS[i])
    else
      local left = math.max(1, math.ceil(after - now))
      redis.call('SET', KEYS[i], string.format('%.3f', after), 'PX', left)
    end
  end
end
return 0
"""
"""Returns what was drawn and not used."""
