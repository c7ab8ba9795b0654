from shop import CLEAN, amount_of

import patterns as p

clean = p.Table(CLEAN, "w")

for order in p.Table("orders").as_stream():
    row = {order["extra"]["kind"]: True, "id": order["id"], "customer": order["customer"].strip()}
    row["amount"] = amount_of(order)
    clean.append(row)
