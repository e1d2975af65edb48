// A payment: one key, and every try that is made with it. It knows the wire, and nothing of how it is shown.

import { CENTS } from './money.js';

const ACCOUNT = { 'x-api-key': 'demo-key-1' };

export const pause = ms => new Promise(done => setTimeout(done, ms));

function random(octets) {
  const drawn = crypto.getRandomValues(new Uint8Array(octets));
  return Array.from(drawn, octet => octet.toString(16).padStart(2, '0')).join('');
}

/** The charges of the account, or null where the service does not answer. */
export async function charges() {
  try {
    const answer = await fetch('/charges', { headers: ACCOUNT, cache: 'no-store' });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/** Has the process of the service killed. */
export async function kill() {
  // It may be dead before it answers.
  await fetch('/kill', { method: 'POST', headers: ACCOUNT }).catch(() => {});
}

export class Payment {
  name = random(3);
  tries = [];
  charges = [];
  chargedAt = [];
  killedAt = null;
  #key = `payment-${random(16)}`;
  #began = null;
  #changed;

  /** Tells each change of a try. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** Milliseconds since the first try. */
  now() {
    return this.#began === null ? 0 : performance.now() - this.#began;
  }

  isRunning() {
    return this.tries.some(({ end }) => end === null);
  }

  /** Whether it changes with time: a try is under way, or a handler whose client has left. */
  isMoving() {
    return this.isRunning() || (this.has('lost') && this.charges.length === 0);
  }

  has(outcome) {
    return this.tries.some(it => it.outcome === outcome);
  }

  /** Takes from the ledger what is of this payment. */
  find(ledger) {
    const own = ledger.filter(({ order }) => order.description === this.name);
    own.slice(this.charges.length).forEach(() => this.chargedAt.push(this.now()));
    const isNew = own.length > this.charges.length;
    this.charges = own;
    return isNew;
  }

  /** Sends it once more; hangs up after a while where that is told. */
  async send(source, { cents = CENTS, hangUp = null } = {}) {
    this.#began ??= performance.now();
    const number = this.tries.length + 1;
    const attempt = { number, cents, start: this.now(), end: null, status: null, outcome: 'running', retryAfter: null };
    this.tries.push(attempt);
    this.#changed(this, attempt);
    const leaving = new AbortController();
    if (hangUp !== null) setTimeout(() => leaving.abort(), hangUp);
    try {
      const answer = await fetch('/charges', {
        method: 'POST',
        headers: { ...ACCOUNT, 'idempotency-key': this.#key, 'content-type': 'application/json' },
        body: JSON.stringify({ amount_cents: cents, currency: 'EUR', source, description: this.name }),
        signal: leaving.signal,
      });
      await answer.arrayBuffer();
      attempt.status = answer.status;
      attempt.outcome = answer.headers.get('x-outcome') ?? 'rejected';
      attempt.retryAfter = Number(answer.headers.get('retry-after')) * 1000 || null;
    } catch {
      attempt.outcome = leaving.signal.aborted ? 'lost' : this.killedAt === null ? 'unreachable' : 'killed';
    }
    attempt.end = this.now();
    this.#changed(this, attempt);
    return attempt;
  }

  /** Sends it again as a good client does, until the answer is one that stays. */
  async settle(source, wait = 600) {
    for (let tries = 0; tries < 10; tries += 1) {
      const { status, retryAfter } = this.tries.at(-1);
      await pause(retryAfter ?? wait);
      const attempt = await this.send(source);
      if (attempt.status !== null && ![409, 503].includes(attempt.status)) return;
    }
  }
}
