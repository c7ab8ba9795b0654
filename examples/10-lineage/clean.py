from shop import CLEAN, amount_of

import patterns as p

clean = p.Table(CLEAN, "w")

for order in p.Table("orders").as_stream():
    row = {"id": order["id"], "customer": order["customer"].strip()}
    row["amount"] = amount_of(order)
    row[order["extra"]["kind"]] = True
    clean.append(row)
