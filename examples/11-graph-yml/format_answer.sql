-- What was asked and answered, newest first
select "user", question, completion as text, length(completion) as size
from {{ Table("answers") }} as answered
order by patterns_id desc;
