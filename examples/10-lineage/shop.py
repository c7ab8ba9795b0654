PREFIX = "clean"
CLEAN = f"{PREFIX}_orders"


def amount_of(order):
    return order["quantity"] * order["price"]
