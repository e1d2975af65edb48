// What a payment costs, and how amounts are written.

export const CENTS = 1250;

const AMOUNT = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' });

export const money = (cents = CENTS) => AMOUNT.format(cents / 100);
