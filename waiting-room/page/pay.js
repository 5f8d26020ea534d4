// SPDX-License-Identifier: Apache-2.0
// Paying with a card: leaving one on the provider's page for one's turn, paying in the hold, answering the bank. Nothing is charged without
// a click in the hold or an order that was given with a card. page_pay.c says the same words; order.js makes one Pay.

import {$, all, setText, show} from './dom.js';

const words = {
    titleNone: 'Pay with a card at your turn',
    titleKept: label => `Your card: ${label}`,
    card: 'a card',
    leave: 'Leave a card',
    another: 'Use another card',
    byCard: 'Pay by card',
    pay: amount => `Pay ${amount}`,
    payWith: (amount, label) => `Pay ${amount} with ${label}`,
    wait: 'One moment…',
    looking: 'Looking for your card…',
    kept: label => `Your card is kept: ${label}.`,
    keptNow: label => `Your card is ready: ${label}. Now press the button to pay.`,
    missed: 'No card was left. You can try again.',
    cardLater: 'The card page could not be opened just now. Nothing was charged. Please try again.',
    payLater: 'Your payment could not be begun just now. Nothing was charged. Please try again.',
    unknown: 'There was no answer. Whether your payment was begun appears here as soon as it is known; you are not charged twice.',
    // Why a payment was declined.
    why: {
        card_declined: 'Your bank said no to this card, and not why. It can tell you; or take another card.',
        insufficient_funds: 'Your bank says that there is not enough money for this card.',
        expired_card: 'This card has expired. Take another one.',
        authentication_failed: 'Your bank’s question was not answered, or not as it had to be.',
        payment_method_invalid: 'This card cannot be charged here. Take another one.',
    },
    whyNot: 'Your payment did not go through.',
    tries: n => n === 0 ? 'That was the last try: this order cannot be paid with a card any more.'
        : n === 1 ? 'You can try once more.' : `You can try ${n} more times.`,
};

const LOOK_EVERY_MS = 1000;
const LOOKS_MAX = 20; // then the card page was left without leaving a card

// ---- Pure rules -----------------------------------------------------------------------------------------------------

export const declinedText = reason => words.why[reason] ?? words.whyNot;

// The address without what the provider and the bank send visitors back with: it is of no use to anybody, and some of it is nobody's business.
export function withoutReturn(address) {
    const url = new URL(address);
    for (const name of [...url.searchParams.keys()])
        if (name === 'card' || name === 'paid' || name === 'redirect_status' || name.startsWith('payment_intent') || name.startsWith('setup_intent'))
            url.searchParams.delete(name);
    return url.href;
}

// Only the web's own addresses are gone to.
export const isAddress = url => /^https?:\/\//.test(url ?? '');

// ---- The card and the button ----------------------------------------------------------------------------------------

const declineOf = order => order?.state === 'declined' ? `${order.attempt} ${order.revision}` : null;

// `page` is what onsale.js lends to order.js; `ordering` lends order(), amount(order), hear(order) and look(), which asks for the order and
// says whether there was an answer.
export class Pay {
    #page;
    #ordering;
    #eventUrl;
    #isCard = document.documentElement.dataset.payment === 'card';
    #card = null; // {state, label?}: `state` is the newest page's, `label` the card's that pays. null: only what the order says
    #looking = false;
    #busy = null; // 'card' or 'pay': it was clicked, and the answer is to come
    #note = null;
    #problem = null;
    #revision = null; // of the order that note and problem are about
    #declined = null; // the decline that was said
    #asked = null; // the state of the order in which the card was asked for last

    constructor(page, slug, ordering) {
        this.#page = page;
        this.#ordering = ordering;
        this.#eventUrl = `/v1/events/${slug}`;
        this.#revision = ordering.order()?.revision ?? null;
        this.#declined = declineOf(ordering.order());
        if (!this.#isCard) return;
        for (const form of all('.card-form')) form.addEventListener('submit', submit => this.#onCard(submit));
        $('pay-form').addEventListener('submit', submit => this.#onPay(submit));
        const card = new URLSearchParams(location.search).get('card');
        if (withoutReturn(location.href) !== location.href) history.replaceState(history.state, '', withoutReturn(location.href));
        addEventListener('pageshow', event => event.persisted && this.#onReturn());
        if (card === 'back') this.#lookForCard();
        else if (card === 'cancelled') this.#note = words.missed;
    }

    // The visitor pays in the hold, as no card is kept for the turn.
    get isPaidLater() {
        return this.#isDue(this.#ordering.order()) && !this.#means;
    }

    #isDue(order) {
        return this.#isCard && order?.amount > 0;
    }

    // What would be charged, as its owner knows it; null: nothing is there to be charged.
    get #means() {
        const card = this.#card ?? this.#ordering.order()?.card;
        return card?.label === undefined ? null : card.label || words.card;
    }

    render() {
        const order = this.#ordering.order(), label = this.#means, isDue = this.#isDue(order);
        if (!order) return;
        if (this.#revision !== order.revision) {
            this.#revision = order.revision;
            if (!this.#looking) this.#note = null;
            this.#problem = null;
        }
        if (isDue) this.#askForCard(order);
        show($('order-card'), isDue);
        this.#renderHold(order, label);
        show($('payment-unknown'), order.reason === 'payment_unknown');
        show($('action'), isAddress(order.action_url));
        if (isAddress(order.action_url)) $('action-link').href = order.action_url;
        if (!isDue) return;
        setText($('card-title'), label ? words.titleKept(label) : words.titleNone);
        for (const element of all('.card-none, .card-first')) show(element, !label);
        const isLast = order.state === 'declined' && order.tries_left === 0;
        for (const element of all('.card-kept')) show(element, Boolean(label));
        show($('pay-form'), Boolean(label) && !isLast);
        show($('pay-card'), !isLast);
        for (const note of all('.card-note')) {
            show(note, this.#note !== null);
            setText(note, this.#note ?? '');
        }
        const amount = this.#ordering.amount(order);
        this.#button($('order-card').querySelector('button'), label ? words.another : words.leave, 'card');
        this.#button($('pay-card').querySelector('button'), label ? words.another : words.byCard, 'card');
        this.#button($('pay-now'), label ? words.payWith(amount, label) : words.pay(amount), 'pay');
        $('pay-card').querySelector('button').className = label ? 'plain' : 'main';
        show($('pay-problem'), this.#problem !== null);
        setText($('pay-problem'), this.#problem ?? '');
    }

    #renderHold(order) {
        const isDeclined = order.state === 'declined';
        show($('held-first'), !isDeclined);
        for (const id of ['held-again', 'declined-why', 'declined-kept']) show($(id), isDeclined);
        setText($('declined-why'), isDeclined ? declinedText(order.reason) : '');
        const hasTries = isDeclined && order.tries_left !== undefined;
        show($('tries'), hasTries);
        setText($('tries'), hasTries ? words.tries(order.tries_left) : '');
        // Told by the section when it comes forward; here when it stood there already.
        const decline = declineOf(order);
        if (decline !== null && decline !== this.#declined && !$('held-first').closest('.outcome').hidden)
            this.#page.say(declinedText(order.reason), true);
        // What is heard of a decline does not say how many tries are left; the order does.
        if (decline !== null && decline !== this.#declined && !hasTries) this.#ordering.look();
        this.#declined = decline;
    }

    #button(button, text, kind) {
        setText(button, this.#busy === kind ? words.wait : text);
        button.setAttribute('aria-disabled', String(this.#busy !== null));
    }

    #tell(problem) {
        // In the hold it is said beside the button.
        const isHeld = ['held', 'declined'].includes(this.#ordering.order()?.state);
        this.#problem = isHeld ? problem : null;
        this.#page.tell(isHeld ? null : problem);
        this.#page.render();
    }

    async #ask(path, options) {
        try {
            const answer = await fetch(`${this.#eventUrl}${path}`, {cache: 'no-store', ...options});
            return {answer, reply: await answer.json()};
        } catch {
            return {answer: null, reply: null};
        }
    }

    // Back by the browser's own button: the page is as it was left, and a card may have been.
    #onReturn() {
        if (this.#busy !== 'card') return;
        this.#busy = null;
        this.#lookForCard();
        this.#page.render();
    }

    // Before somebody waits or pays: the button must say which card is charged, and another tab may have left another one.
    async #askForCard({state}) {
        if (!['placed', 'held', 'declined'].includes(state) || this.#asked === state || this.#looking) return;
        this.#asked = state;
        const {answer, reply} = await this.#ask('/order/card');
        if (!answer?.ok || !reply || this.#looking) return;
        this.#card = reply;
        this.#page.render();
    }

    async #lookForCard() {
        if (this.#looking) return;
        this.#looking = true;
        this.#note = words.looking;
        for (let i = 0; i < LOOKS_MAX; i++) {
            const {answer, reply} = await this.#ask('/order/card?back=1');
            if (answer?.ok && reply) this.#card = reply;
            if (answer?.ok ? reply && reply.state !== 'open' : answer?.status < 500) break;
            await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS));
        }
        this.#looking = false;
        this.#asked = this.#ordering.order()?.state;
        const isKept = this.#card?.state === 'kept', isHeld = ['held', 'declined'].includes(this.#ordering.order()?.state);
        this.#note = isKept ? (isHeld ? words.keptNow : words.kept)(this.#means) : words.missed;
        this.#page.render();
    }

    async #onCard(submit) {
        submit.preventDefault();
        if (this.#busy) return;
        this.#busy = 'card';
        this.#note = null;
        this.#tell(null);
        const {answer, reply} = await this.#ask('/order/card', {method: 'POST'});
        if (answer?.ok && isAddress(reply?.url)) {
            location.assign(reply.url); // the button stays as it is until the page is gone
            return;
        }
        this.#busy = null;
        this.#tell(answer && answer.status < 500 && reply?.detail ? reply.detail : words.cardLater);
    }

    async #onPay(submit) {
        submit.preventDefault();
        if (this.#busy) return;
        this.#busy = 'pay';
        this.#note = null;
        this.#tell(null);
        const {answer, reply} = await this.#ask('/payment', {
            method: 'POST', body: '{}', headers: {'Content-Type': 'application/json'},
        });
        if (answer?.ok && reply) {
            this.#busy = null;
            this.#ordering.hear(reply);
            return this.#page.render();
        }
        await this.#onNotPaid(answer, reply);
    }

    // Another tab may have paid, the time may be over, the answer may be lost: the order says what is.
    async #onNotPaid(answer, reply) {
        const isKnown = await this.#ordering.look();
        this.#busy = null;
        const isHeld = ['held', 'declined'].includes(this.#ordering.order()?.state);
        if (!isHeld) return this.#page.render();
        if (answer && answer.status < 500 && reply?.detail) this.#tell(reply.errors?.[0]?.detail ?? reply.detail);
        else this.#tell(isKnown ? words.payLater : words.unknown);
        if (answer?.status === 410) this.#page.restart();
    }
}
