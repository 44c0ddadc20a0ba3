-- told: what was read here a moment ago is to be told to somebody, once it is on the disk.
-- ARGV: none
-- Returns: 1
--!flags allow-oom
as_it_was()
return 1
