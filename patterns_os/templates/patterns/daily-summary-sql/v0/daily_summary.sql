-- One row per day (UTC) with the number of events. The select replaces its output on each run.
select
    (created_at::timestamptz at time zone 'UTC')::date as day,
    count(*) as events
from {{ Table("events") }}
where created_at is not null
group by 1
order by 1
