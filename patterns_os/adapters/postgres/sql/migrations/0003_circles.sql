-- How often a row has come round a circle of tables that trigger their writers (see ADR 0019). Outside of circles
-- all of these columns are null.

alter table patterns_os.nodes add column circle text[];  -- the nodes of its circle that bound it, by number
alter table patterns_os.nodes add column max_hops int;   -- how often this one may take what comes round

-- {node: how often}: what the run gives to its commits.
alter table patterns_os.runs add column hops jsonb;
alter table patterns_os.commits drop column hops;
alter table patterns_os.commits add column hops jsonb;

-- The form with a plain number of hops; the one that takes its place has other arguments.
drop function if exists patterns_os.write_block(int, text, text[], jsonb, text, bigint, jsonb, int, text);
