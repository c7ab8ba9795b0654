select (select count(*) from {{ Table("new_orders") }}) as orders,
       (select count(*) from {{ Table("customers") }}) as customers
