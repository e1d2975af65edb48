#!lua flags=allow-oom
-- Changes a record if it still is what was seen: 1 if it was, 0 if not, -1 if what was to be moved is gone.
-- KEYS: the record, and where its new value waits if that is to be moved
-- ARGV: the value seen ('' for none, but to remove: for an empty one), what to do, the new value, its time to live in ms,
--       then, if there is one, the channel to tell ('' for none) and what to say there,
--       and for a lapsed claim: when it expires, and the longest time to live that it may have left
local call, key, waiting = redis.call, KEYS[1], KEYS[2]
local seen, act, value, px = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local found, same = call('GET', key), nil
if seen == '' and act ~= 'remove' then
  same = not found
else
  same = found == seen
end
if same and ARGV[7] then
  same = call('PEXPIRETIME', key) == tonumber(ARGV[7]) and call('PTTL', key) <= tonumber(ARGV[8])
end
if not same then
  if waiting then call('DEL', waiting) end
  return 0
end

if act == 'set' then
  call('SET', key, value, 'PX', px)
elseif act == 'move' then
  if call('PEXPIRE', waiting, px) == 0 then return -1 end
  call('RENAME', waiting, key)
elseif act == 'keep' then
  call('PEXPIRE', key, px)
else
  call('DEL', key)
end
if ARGV[5] and ARGV[5] ~= '' and act ~= 'keep' then call('PUBLISH', ARGV[5], ARGV[6]) end
return 1
