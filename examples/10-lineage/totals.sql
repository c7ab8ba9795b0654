with large as (
  select customer, amount from {{ Table("clean_orders") }} where amount > 10
)
select customer, count(*) as orders, sum(amount) as total
from large
group by customer
