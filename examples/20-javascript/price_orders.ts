// Prices each order of the webhook once, whatever happens to the process meanwhile.

import { Parameter, State, Table } from "patterns";

import { total } from "./pricing.ts";

const discount: number = Parameter("discount", { type: "float", default: 0 });
const orders = new Table("orders");
const priced = new Table("priced_orders", "w");
const state = new State();

let count: number = state.getValue("count", 0);
for await (const { id, customer, quantity, price } of orders.asStream()) {
  await priced.append({ id, customer, total: total(quantity, price, discount) });
  count += 1;
}
state.setValue("count", count);
console.log(`${count} orders so far`);
