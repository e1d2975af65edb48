// Buttons to payments, payments to cards, and the clock that moves them.

import { Card, tally, words } from './lanes.js';
import { refresh } from './ledger.js';
import { money } from './money.js';
import { Payment, pause } from './payment.js';
import { PAY, SCENES } from './scenes.js';

const CARDS = 8;
const STORES = {
  memory: 'Records of keys: in memory. They die with the process.',
  sqlite: 'Records of keys: in a SQLite file. They outlive the process; a run without a sign of life for 2 s counts as lost.',
};
const isCalm = matchMedia('(prefers-reduced-motion: reduce)');
const find = id => document.getElementById(id);
const payments = new Map();
let current = null;

function say(payment, attempt) {
  const { status, name, what } = words(payment, attempt);
  find('said').textContent = `Payment ${payment.name}, try ${attempt.number}: ${status} ${name}, ${what}. ${tally(payment)}.`;
}

async function changed(payment, attempt) {
  if (attempt.end !== null) await look();
  payments.get(payment)?.update();
  if (attempt.end !== null) say(payment, attempt);
}

/** Looks in the ledger, for all payments. */
async function look() {
  const ledger = await refresh();
  if (ledger) payments.forEach((card, payment) => payment.find(ledger) && card.update());
  return ledger;
}

function begin(scene) {
  const payment = new Payment(changed);
  const card = new Card(payment, scene);
  payments.set(payment, card);
  find('empty')?.remove();
  find('payments').prepend(card.root);
  const [oldest] = payments.keys();
  if (payments.size > CARDS) {
    payments.get(oldest).root.remove();
    payments.delete(oldest);
  }
  return payment;
}

function pay() {
  if (!payments.has(current)) current = begin(PAY);
  find('payments').prepend(payments.get(current).root);
  hint('again: the same key');
  current.send('tok_slow');
}

/** What the next press on Pay is. */
function hint(text) {
  find('hint').textContent = text;
}

async function play(scene) {
  await scene.play(begin(scene), look);
}

function draw() {
  payments.forEach((card, payment) => payment.isMoving() && card.draw());
  if (isCalm.matches) setTimeout(draw, 500);
  else requestAnimationFrame(draw);
}

async function watch() {
  for (;;) {
    if (!document.hidden) await look();
    await pause(150);
  }
}

find('store').textContent = STORES[document.documentElement.dataset.store];
find('price').textContent = money();
find('pay').addEventListener('click', pay);
find('new').addEventListener('click', () => {
  current = null;
  hint('with a new key');
  find('said').textContent = 'The next press on Pay has a new key.';
});
Object.entries(SCENES).forEach(([id, scene]) => find(id).addEventListener('click', () => play(scene)));
draw();
watch();
