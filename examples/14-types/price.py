from patterns import Table

invoices = Table("invoices", "w")

for order in Table("orders").as_stream():
    invoices.append({"order_id": order["id"], "email": order["email"], "amount": order["amount"]})
