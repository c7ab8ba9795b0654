select is_new, count(*) as rows from {{ Table("seen") }} group by is_new
