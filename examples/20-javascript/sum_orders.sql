select customer, count(*) as orders, sum(total) as total
from priced_orders
group by customer
order by customer
