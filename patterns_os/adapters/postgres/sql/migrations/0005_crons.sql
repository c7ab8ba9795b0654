-- What becomes of ticks that were missed or that meet a run, and which cron was in force when.

alter table patterns_os.schedules add column catchup text not null default 'last';   -- all, last, none
alter table patterns_os.schedules add column overlap text not null default 'queue';  -- queue, skip
alter table patterns_os.schedules add column since timestamptz not null default clock_timestamp();
alter table patterns_os.schedules add column missed bigint not null default 0;       -- ticks that nothing runs for
alter table patterns_os.schedules add column missed_at timestamptz;                  -- the newest of them

create table patterns_os.former_schedules (
    node int not null references patterns_os.nodes on delete cascade,
    since timestamptz not null,
    until timestamptz not null,
    expression text not null,
    timezone text not null,
    primary key (node, since)
);

-- Ticks are written in one form, so that they sort as text.
create index requests_of_crons on patterns_os.requests (node, (payload ->> 'tick')) where kind = 'cron';
