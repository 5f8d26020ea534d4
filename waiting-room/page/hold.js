// SPDX-License-Identifier: Apache-2.0
// What is kept for a visitor who has to pay: how long, more time, and the plan with one's own seats. order.js makes one Hold.

import {$, setText, show} from './dom.js';
import {drawMine, fetchHall} from './seats.js';

const words = {
    left: time => `${time} left to pay`,
    over: 'The time to pay is over. What became of it appears here.',
    minutes: n => `${n} ${n === 1 ? 'minute' : 'minutes'} left to pay.`,
    more: 'You have more time to pay now.',
    moreLater: 'You could not be given more time just now. Please try again.',
    ahead: n => n === 0 ? 'Nobody is before you on standby.' : n === 1 ? '1 order is before yours.' : `${n} orders are before yours.`,
};

const SAY_AT_MINUTES = [5, 1];

// Which of these minutes has just been reached; null: none. `said` holds those that were said for this end already.
export function minutesToSay(secondsLeft, said) {
    const reached = SAY_AT_MINUTES.filter(minutes => secondsLeft <= minutes * 60 && secondsLeft > 0).at(-1);
    return reached === undefined || said.has(reached) ? null : reached;
}

export const aheadText = words.ahead;

// What is shown alike wherever something is kept: in the hold, and while the bank asks.
const alike = (name, act) => document.querySelectorAll(`.${name}`).forEach(act);

// `page` is what onsale.js lends to order.js; `hear` takes an order over.
export class Hold {
    #page;
    #url;
    #hear;
    #order = null;
    #payUntil = null;
    #said = new Set();
    #asked = null; // the end that the server was asked about
    #asking = false;
    #drawn = ''; // whose seats the small plan shows

    constructor(page, url, hear) {
        this.#page = page;
        this.#url = url;
        this.#hear = hear;
        $('more-time').addEventListener('submit', submit => this.#onMoreTime(submit));
    }

    render(order) {
        this.#order = order;
        const isHeld = Boolean(order.pay_until), isStill = this.#page.known.event.state === 'stopped';
        alike('hold-until', element => show(element, isHeld && !isStill));
        alike('hold-still', element => show(element, isStill));
        show($('more-time'), isHeld && order.more_time === true && !isStill);
        show($('standby-ahead'), order.state === 'standby' && typeof order.ahead === 'number');
        if (typeof order.ahead === 'number') setText($('standby-ahead'), words.ahead(order.ahead));
        if (isHeld) alike('pay-until', element => this.#page.showTime(element, order.pay_until, false));
        if (isHeld && order.pay_until !== this.#payUntil) this.#begin(order.pay_until);
        this.#drawMine();
        this.tick();
    }

    // Another end: what is nearer than that already is not said again.
    #begin(payUntil) {
        const left = this.#left(payUntil);
        this.#payUntil = payUntil;
        this.#said = new Set(SAY_AT_MINUTES.filter(minutes => left !== null && left < minutes * 60 - 5));
    }

    #left(payUntil) {
        const now = this.#page.clock.now(), end = Date.parse(payUntil);
        return now === null || Number.isNaN(end) ? null : (end - now) / 1000;
    }

    tick() {
        const isStill = this.#page.known.event.state === 'stopped';
        const left = this.#order?.pay_until && !isStill ? this.#left(this.#order.pay_until) : null;
        alike('hold-clock', clock => show(clock, left !== null));
        if (left === null) return;
        alike('hold-clock', clock => {
            setText(clock, left > 0 ? words.left(this.#page.clockText(left)) : words.over);
            clock.classList.toggle('last', left <= 60);
            clock.classList.toggle('over', left <= 0);
        });
        const minutes = minutesToSay(left, this.#said);
        if (minutes !== null) {
            for (const each of SAY_AT_MINUTES) if (each >= minutes) this.#said.add(each);
            this.#page.say(words.minutes(minutes));
        }
        // Whether it is over is for the server to say: it is asked, once for each end.
        if (left <= -1 && this.#asked !== this.#order.pay_until) {
            this.#asked = this.#order.pay_until;
            this.#page.restart();
        }
    }

    async #onMoreTime(submit) {
        submit.preventDefault();
        if (this.#asking) return;
        this.#asking = true;
        let answer = null, reply = null;
        try {
            answer = await fetch(`${this.#url}/more-time`, {method: 'POST'});
            reply = await answer.json();
        } catch {
            // Said below.
        }
        this.#asking = false;
        const isDone = Boolean(answer?.ok && reply);
        if (isDone) {
            this.#hear(reply);
            this.#page.say(words.more, true);
        }
        this.#page.tell(isDone ? null : answer && answer.status < 500 && reply?.detail ? reply.detail : words.moreLater);
        this.#page.render();
        if (isDone) document.querySelector('[data-outcome="held"]').focus({preventScroll: true});
    }

    // Once for the seats that one has: they do not change.
    async #drawMine() {
        const {state, tier, seats} = this.#order;
        const element = document.querySelector(`.outcome[data-outcome="${state === 'confirmed' ? state : 'held'}"] .mine`);
        const key = `${state} ${tier} ${seats?.join()}`;
        if (!seats?.length || !['held', 'declined', 'confirmed'].includes(state) || this.#drawn === key) return;
        this.#drawn = key;
        try {
            drawMine(element, await fetchHall(`/v1/events/${this.#page.known.event.slug}/seats`, tier), seats);
        } catch {
            this.#drawn = ''; // with the next news it is tried again
        }
    }
}
