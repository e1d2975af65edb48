#!lua flags=allow-oom
-- Changes a record if it still is what was seen: 1 if it was, 0 if not, -1 if what was to be moved is gone.
-- KEYS: the record, and where its new value waits if that is to be moved
-- ARGV: the value seen ('' for none, but to remove: for an empty one), what to do, the new value, its time to live in ms,
--       the channel to tell ('' for none) and what to say there,
--       and for a lapsed claim: when it expires, and the longest time to live that it may have left
local key, waiting = KEYS[1], KEYS[2]
local seen, act, value, px = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local same
if seen == '' and act ~= 'remove' then
  same = redis.call('EXISTS', key) == 0
else
  same = redis.call('STRLEN', key) == #seen and redis.call('GET', key) == seen
end
if same and ARGV[7] then
  same = redis.call('PEXPIRETIME', key) == tonumber(ARGV[7])
    and redis.call('PTTL', key) <= tonumber(ARGV[8])
end
if not same then
  if waiting then redis.call('DEL', waiting) end
  return 0
end

if act == 'keep' then
  redis.call('PEXPIRE', key, px)
elseif act == 'set' then
  redis.call('SET', key, value, 'PX', px)
elseif act == 'move' then
  if redis.call('EXISTS', waiting) == 0 then return -1 end
  redis.call('RENAME', waiting, key)
  redis.call('PEXPIRE', key, px)
else
  redis.call('DEL', key)
end
if ARGV[5] ~= '' and act ~= 'keep' then redis.call('PUBLISH', ARGV[5], ARGV[6]) end
return 1
