export function total(quantity: number, price: number, discount: number): number {
  return Math.round(quantity * price * (1 - discount) * 100) / 100;
}
