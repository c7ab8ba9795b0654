create table totals as
select email, sum(amount) as owed, min(paid) as paid
from {{ Table("invoices") }}
left join (select order_id, sum(amount) as paid from {{ Table("payments") }} group by order_id) p
  on p.order_id = invoices.order_id::text
group by email
