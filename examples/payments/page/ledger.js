// The ledger, live: asked for once, and shown.

import { money } from './money.js';
import { charges } from './payment.js';

const ROWS = 12;
let shown = 0;

const find = id => document.getElementById(id);

function row(charge, isAgain) {
  const made = document.createElement('tr');
  const [id, payment, amount] = Array.from({ length: 3 }, () => made.insertCell());
  id.textContent = charge.id;
  payment.textContent = charge.order.description ?? '–';
  if (isAgain) {
    made.className = 'again';
    const mark = document.createElement('b');
    mark.textContent = ' again';
    payment.append(mark);
  }
  amount.textContent = charge.state === 'declined' ? 'declined' : money(charge.order.amount_cents);
  amount.className = 'number';
  return made;
}

function show(ledger) {
  const body = find('charges');
  const seen = new Set();
  const rows = ledger.map(charge => {
    const { description } = charge.order;
    const isAgain = description !== undefined && seen.has(description);
    seen.add(description);
    return row(charge, isAgain);
  });
  rows.slice(shown).forEach(fresh => fresh.classList.add('fresh'));
  body.replaceChildren(...rows.slice(-ROWS).reverse());
  shown = ledger.length;
  const paid = ledger.filter(({ state }) => state === 'succeeded');
  const sum = paid.reduce((sum, { order }) => sum + order.amount_cents, 0);
  find('count').textContent = ledger.length === 1 ? '1 charge' : `${ledger.length || 'No'} charges`;
  find('sum').textContent = money(sum);
}

/** Asks once, and shows what has come; null where there is no service. */
export async function refresh() {
  const ledger = await charges();
  const live = find('live');
  live.dataset.is = ledger ? 'live' : 'gone';
  live.textContent = ledger ? 'live' : 'no service';
  if (ledger && ledger.length !== shown) show(ledger);
  return ledger;
}
