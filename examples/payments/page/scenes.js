// What may go wrong, each as a client lives through it, and in a sentence why so many charges came of so many tries.

import { kill, pause } from './payment.js';

async function until(isSo) {
  for (let looks = 0; looks < 100 && !(await isSo()); looks += 1) await pause(100);
}

export const PAY = {
  title: 'Pay',
  why: payment => {
    if (payment.has('replayed')) return 'The first try ran. Every later one gets its answer again, and charges nothing.';
    if (payment.has('in_flight')) return 'While the first try runs, another one is told to come back. Press Pay once more.';
    return 'The key of this payment now has an answer. Press Pay again.';
  },
};

export const SCENES = {
  lose: {
    title: 'Lose the connection',
    play: async payment => {
      await payment.send('tok_slow', { hangUp: 400 });
      await payment.settle('tok_slow', 300);
    },
    why: () => 'The client hung up, and the service finished all the same: one charge. Tries meanwhile were told to wait; '
      + 'the one after them got the answer that had been lost.',
  },
  other: {
    title: 'Other amount with the same key',
    play: async payment => {
      await payment.send('tok_visa');
      await pause(500);
      await payment.send('tok_visa', { cents: 99_00 });
      await pause(500);
      await payment.send('tok_visa');
    },
    why: () => 'The key stands for the first request. Another amount under it is a mistake of the client, which is told so, '
      + 'and the first answer stays what it was.',
  },
  down: {
    title: 'Processor down',
    play: async payment => {
      await payment.send('tok_down_twice');
      await payment.settle('tok_down_twice');
    },
    why: () => 'Twice the handler declared that it had done nothing, so nothing was kept, and the next try ran. '
      + 'The third one charged the card.',
  },
  kill: {
    title: 'Kill the process',
    play: async (payment, refresh) => {
      const lost = payment.send('tok_slow_answer');
      await until(async () => (await refresh()) && payment.charges.length > 0);
      await pause(800);
      payment.killedAt = payment.now();
      await kill();
      await lost;
      await until(refresh);
      await payment.settle('tok_slow_answer');
    },
    why: payment => {
      if (payment.has('unknown')) {
        return 'The process died between the charge and its record, so nobody knows what became of the first try. The retry is told '
          + 'just that, and charges nothing. A person decides then, or a function of the application that looks in the ledger.';
      }
      if (payment.charges.length > 1) {
        return 'Charged twice. The memory store died with its process, and nobody knew the key any more: the retry ran as if it were '
          + 'the first. Records in a file outlive the process; start the example again with one, and kill that.';
      }
      return 'The process died between the charge and its record.';
    },
    command: payment => (payment.charges.length > 1 ? 'cargo run --example payments --features sql -- --db target/payments.db' : ''),
  },
};
