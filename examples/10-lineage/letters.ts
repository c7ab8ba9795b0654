import { Model, Table } from "patterns";

const model = new Model("base-llm");
const letters = new Table("letters", "w");

for await (const { customer, total } of new Table("totals").asStream()) {
  const text = await model.complete(`Thank ${customer} for ${total} euros.`);
  await letters.append({ customer, text });
}
