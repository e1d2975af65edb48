-- Reads the claims among some of this server's keys: the text of a cursor each server has of its own, then for each claim its
-- key, its value, the time to live that it has left and when that ends, in ms. Of what is no claim, two octets are read.
local name = redis.pcall('CLUSTER', 'MYID')
if type(name) ~= 'string' then name = 'server' end
local cursor = '0'
for i = 3, #ARGV, 2 do
    if ARGV[i] == name then cursor = ARGV[i + 1] end
end
if cursor == 'end' then return { name, 'end', {} } end
local scanned = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', ARGV[2], 'TYPE', 'string')
local found = {}
for _, key in ipairs(scanned[2]) do
    if redis.call('GETRANGE', key, 1, 1) == '\1' then
        local value, left = redis.call('GET', key), redis.call('PTTL', key)
        table.insert(found, { key, value, left, redis.call('PEXPIRETIME', key) })
    end
end
return { name, scanned[1] == '0' and 'end' or scanned[1], found }
