-- record: somebody did something that is no script of ours, or has been done just now.
-- ARGV: the action (actions.py), '' where nobody did it
-- Returns: 1
--!flags allow-oom
acted(ARGV[1])
return 1
