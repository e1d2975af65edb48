#!lua flags=no-writes
-- Reads a record with the time to live that it has left and when that ends, both in ms.
return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), redis.call('PEXPIRETIME', KEYS[1]) }
