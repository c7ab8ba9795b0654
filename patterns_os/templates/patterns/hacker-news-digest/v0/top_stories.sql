-- The ten stories with the most points. The select replaces its output; where nothing changes, nothing runs on.
select id, title, url, points
from {{ Table("stories") }}
order by points desc, id
limit 10
