// A payment as a card: each try a lane in time, with its outcome in words. It sends nothing.

import { CENTS, money } from './money.js';

const WORDS = {
  running: ['sent', 'no answer yet'],
  first: ['first', 'ran, and charged the card'],
  replayed: ['replayed', 'the first answer again; nothing ran'],
  in_flight: ['in flight', 'an earlier try may still run: wait'],
  mismatch: ['mismatch', 'the key stands for another request'],
  unknown: ['unknown', 'an earlier try died; not run again'],
  released: ['released', 'nothing was done; a retry may run'],
  lost: ['connection lost', 'the client hung up; the run goes on'],
  killed: ['no answer', 'the process was killed'],
  unreachable: ['no answer', 'the service is not there'],
};

/** What became of a try: its status, its outcome, and what that means. */
export function words({ killedAt }, { status, outcome, cents }) {
  const isForgotten = outcome === 'first' && killedAt !== null;
  const [name, means] = isForgotten ? ['first', 'ran as if it were the first'] : WORDS[outcome] ?? [outcome, 'refused'];
  const what = cents === CENTS ? means : `${money(cents)}: ${means}`;
  return { status: status ?? '', name, what };
}

function element(tag, className, text = '') {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

const seconds = ms => `${(ms / 1000).toFixed(1)} s`;

/** What a lane shows by its place, for those who hear it. */
function spoken({ start, end }) {
  const took = end === null ? '' : `, over after ${seconds(end - start)}`;
  return `Sent at ${seconds(start)}${took}.`;
}

const count = (number, one, many) => `${number === 0 ? 'no' : number} ${number === 1 ? one : many}`;
export const tally = ({ tries, charges }) =>
  `${count(tries.length, 'try', 'tries')}, ${count(charges.length, 'charge', 'charges')}`;

export class Card {
  #payment;
  #scene;
  #lanes = [];
  #list = element('ol', 'lanes');
  #axis = element('div', 'axis');
  #tally = element('p', 'tally');
  #why = element('p', 'why');
  #command = element('code', 'command');

  constructor(payment, scene) {
    this.#payment = payment;
    this.#scene = scene;
    this.root = element('article', 'card');
    const title = element('h2', '', scene.title);
    const name = element('p', 'name', `payment ${payment.name} · ${money()}`);
    this.#axis.ariaHidden = 'true';
    const head = element('div', 'card-head');
    head.append(title, name, this.#tally);
    this.root.append(head, this.#list, this.#axis, this.#why, this.#command);
  }

  /** Shows what has changed: tries, their words, what came of all of them. */
  update() {
    this.#payment.tries.slice(this.#lanes.length).forEach(attempt => this.#add(attempt));
    for (const { attempt, lane, word, status, what, time } of this.#lanes) {
      const said = words(this.#payment, attempt);
      lane.dataset.outcome = attempt.outcome;
      word.textContent = said.name;
      status.textContent = said.status;
      what.textContent = said.what;
      time.textContent = spoken(attempt);
    }
    this.#tally.textContent = tally(this.#payment);
    this.#tally.dataset.charges = Math.min(this.#payment.charges.length, 2);
    const isOver = !this.#payment.isRunning();
    this.#why.textContent = isOver ? this.#scene.why(this.#payment) : '';
    this.#command.textContent = isOver ? this.#scene.command?.(this.#payment) ?? '' : '';
    this.draw();
  }

  /** Moves what time moves. */
  draw() {
    const { tries, chargedAt, killedAt } = this.#payment;
    const latest = Math.max(...tries.map(({ end }) => end ?? this.#payment.now()), ...chargedAt, 0);
    const length = Math.max(3, Math.ceil(latest / 1000 + 0.1));
    const at = ms => `${(ms / length) / 10}%`;
    if (this.#axis.children.length !== length + 1) {
      const every = Math.ceil(length / 6);
      this.root.style.setProperty('--steps', length / every);
      const marks = Array.from({ length: length + 1 }, (_, second) => {
        const mark = element('span', '', second % every ? '' : `${second} s`);
        mark.style.left = at(second * 1000);
        return mark;
      });
      this.#axis.replaceChildren(...marks);
    }
    for (const { attempt, bar, track, tail } of this.#lanes) {
      bar.style.left = at(attempt.start);
      bar.style.width = at((attempt.end ?? this.#payment.now()) - attempt.start);
      if (attempt.outcome === 'lost') {
        tail.style.left = at(attempt.end);
        tail.style.width = at((chargedAt[0] ?? this.#payment.now()) - attempt.end);
      }
      const events = [...chargedAt.map(ms => ['charge', ms]), ...(killedAt === null ? [] : [['death', killedAt]])];
      const marks = [...track.querySelectorAll('i')];
      events.slice(marks.length).forEach(() => marks.push(track.appendChild(element('i', ''))));
      events.forEach(([kind, ms], index) => {
        marks[index].className = ms > length * 800 ? `${kind} late` : kind;
        marks[index].style.left = at(ms);
      });
    }
  }

  #add(attempt) {
    const lane = element('li', 'lane');
    const track = element('div', 'track');
    track.ariaHidden = 'true';
    const bar = element('div', 'bar');
    const tail = element('div', 'tail');
    track.append(tail, bar);
    const text = element('p', 'words');
    const [status, word, what] = [element('b', 'status'), element('b', 'outcome'), element('span', 'what')];
    const time = element('span', 'hidden');
    text.append(status, ' ', word, ' ', what, ' ', time);
    lane.append(element('span', 'try', `Try ${attempt.number}`), track, text);
    this.#list.append(lane);
    this.#lanes.push({ attempt, lane, track, bar, tail, word, status, what, time });
  }
}
