"""A portal's bucket in Redis: one key, changed by one script on Redis's own clock."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from airflow_provider_b24.rest import rate_limit
from airflow_provider_b24.rest.redis_connection import RedisUnavailableError

if TYPE_CHECKING:
    from airflow_provider_b24.rest.file_state import FileBucket
    from airflow_provider_b24.rest.rate_limit import Plan
    from airflow_provider_b24.rest.redis_connection import RedisConnection

#: Seconds for which a bucket that nobody uses is kept: by then its share has grown to the whole again.
KEEP_SECONDS = 3600.0

_CLOCK = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
"""

# The same as in rate_limit.py, whose tests compare both.
_BUCKET = """
local LAYOUT, BYTES = '<ddddddd', 56
local action = ARGV[1]
local drain, burst, tolerance = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local interval = 1 / drain
local memory = MEMORY * burst * interval

local function is_possible(l)
  for _, value in pairs(l) do
    if value ~= value or value == math.huge or value == -math.huge then return false end
  end
  return 0 < l.share and l.share <= l.peak and l.peak <= 1 and 0 <= l.calm and l.calm <= CALM
    and l.refused_at <= l.at and l.empty_at <= l.at + MAX_QUEUE_SECONDS
    and 0 <= l.recent and l.recent <= MAX_QUEUE_SECONDS
end

local function read()
  local data = redis.call('GET', KEYS[1])
  if data and #data >= BYTES then
    local l = {}
    l.empty_at, l.recent, l.share, l.peak, l.calm, l.refused_at, l.at = struct.unpack(LAYOUT, data)
    if is_possible(l) then return l end
  end
  -- The hosts share all that is known, so a lost key says nothing about what they have sent.
  return {empty_at = 0, recent = MEMORY * burst, at = now, share = 1, peak = 1, calm = 0, refused_at = 0}
end

local function write(l)
  local data = struct.pack(LAYOUT, l.empty_at, l.recent, l.share, l.peak, l.calm, l.refused_at, l.at)
  local kept = math.ceil((math.max(l.empty_at - now, 0) + KEEP) * 1000)
  redis.call('SET', KEYS[1], data, 'PX', string.format('%.0f', kept))
end

local function rebase(l)
  local back = math.max(l.at - now, 0)
  if back > 0 then
    l.empty_at, l.refused_at, l.at = l.empty_at - back, l.refused_at - back, now
  end
end

local function share_at(l)
  if l.peak >= 1 then return 1 end
  local intervals = (now - l.refused_at) / math.min(interval / l.peak, MAX_INTERVAL)
  if intervals < l.calm then return l.share + (l.peak - l.share) * intervals / l.calm end
  local doublings = math.min((intervals - l.calm) / DOUBLING, 15) ^ ACCELERATION
  doublings = doublings * (TYPICAL_SHARE / l.peak) ^ EQUALITY
  local grown = l.peak * 2 ^ doublings
  if grown >= 2 then return 1 end
  return math.min(grown, MAX_SHARE)
end

local function recent_at(l)
  return l.recent * math.exp((l.at - now) / memory)
end

local function cut(l)
  local share, sent = share_at(l), l.recent / (MEMORY * burst)
  if share >= 1 then
    l.share = math.max(sent ^ (1 - PRIOR) * TYPICAL_SHARE ^ PRIOR, LEAST_FIRST_SHARE)
    l.share = math.min(l.share, MAX_SHARE)
    l.peak, l.calm = l.share, FIRST_CALM
  else
    l.peak = math.max(math.min(share, math.max(SLACK_FACTOR * sent + SLACK, share * UNUSED)), MIN_SHARE)
    l.share, l.calm = math.max(l.peak * (1 - CUT), MIN_SHARE), CALM
  end
  l.refused_at = now
end

local l = read()
rebase(l)
local wait = 0
if action == 'reserve' then
  local max_wait, empty_at = tonumber(ARGV[5]), math.max(l.empty_at, now)
  wait = math.max(empty_at - tolerance - now, 0)
  if wait <= max_wait then
    l.empty_at, l.recent, l.at = empty_at + interval / share_at(l), recent_at(l) + 1, now
    write(l)
  end
elseif action == 'penalize' then
  local jitter = tonumber(ARGV[5])
  l.recent, l.at = math.max(recent_at(l) - 1, 0), now
  if l.peak >= 1 or now - l.refused_at >= MERGE_SECONDS then cut(l) end
  local pause = interval / l.share * (PAUSE + JITTER * jitter)
  l.empty_at = math.max(l.empty_at, now + tolerance + pause)
  write(l)
elseif action == 'fill' then
  l.recent, l.at = math.max(recent_at(l), tonumber(ARGV[5]) * MEMORY * burst), now
  l.empty_at = math.max(l.empty_at, now + tolerance + interval)
  write(l)
end
return string.format('%.17g', wait)
"""
_NUMBERS = {**rate_limit.numbers(), "KEEP": KEEP_SECONDS}
_HEADER = "".join(f"local {name} = {value!r}\n" for name, value in _NUMBERS.items())
SCRIPT = _HEADER + _CLOCK + _BUCKET


class RedisBucket:
    """One portal's bucket for all hosts, or this host's own while Redis fails.

    :param connection: how Redis is reached.
    :param key: the bucket's key.
    :param plan: what the portal allows.
    :param fallback: the bucket of this host.
    """

    def __init__(self, connection: RedisConnection, key: str, plan: Plan, *, fallback: FileBucket) -> None:
        self._connection = connection
        self._key = key
        self._fallback = fallback
        self._numbers = [repr(plan.drain), repr(float(plan.burst)), repr(plan.tolerance)]
        self._is_alone = False

    def reserve(self, *, max_wait: float) -> float:
        """Reserve a place and return how many seconds to wait before it may be used."""
        seconds = self._run("reserve", repr(float(max_wait)))
        return self._fallback.reserve(max_wait=max_wait) if seconds is None else seconds

    def refused(self) -> None:
        """Slow all hosts down, with jitter."""
        if self._run("penalize", repr(random.random())) is None:
            self._fallback.refused()

    def _run(self, action: str, argument: str) -> float | None:
        """Run the script and return the seconds to wait; None while Redis fails."""
        try:
            if self._is_alone:
                # What was sent meanwhile is not known there, but most of it came from those who share it.
                self._change("fill", repr(1.0))
                self._is_alone = False
            return self._change(action, argument)
        except RedisUnavailableError:
            if not self._is_alone:
                self._is_alone = True
                self._fallback.fill()
            return None

    def _change(self, action: str, argument: str = "0") -> float:
        arguments = [action, *self._numbers, argument]
        return float(self._connection.run(SCRIPT, key=self._key, arguments=arguments))
