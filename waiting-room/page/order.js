// SPDX-License-Identifier: Apache-2.0
// The visitor's order on the event's page: the form, what was ordered, what became of it. The page is whole without this
// script (page_order.c); it fills the same elements. Parts, in this order: words, pure rules, the form's fields, sending,
// what is shown. onsale.js makes one Ordering and tells it what it hears.

import {$, all, setText, show} from './dom.js';
import {Hold} from './hold.js';
import {retryDelay} from './network.js';
import {Pay} from './pay.js';
import {namesIn, SeatChoice, seatsText} from './seats.js';

const words = {
    locale: 'en-GB',
    noun: n => n === 1 ? 'ticket' : 'tickets',
    tickets: n => `${n} ${words.noun(n)}`,
    then: ', then ',
    nothing: 'Nothing',
    order: 'Order',
    orderFor: (tickets, amount) => `Order ${tickets} for ${amount}`,
    change: 'Change my order',
    changeTo: (tickets, amount) => `Change to ${tickets} for ${amount}`,
    sending: 'Sending…',
    titlePlaced: 'Your order is safe',
    titleChange: 'Change your order',
    titleNew: 'Your tickets',
    less: name => `One ${name} less`,
    more: name => `One ${name} more`,
    single: 'ticket',
    place: 'place',
    tooMany: n => `At most ${words.tickets(n)} in one order.`,
    chooseTier: 'Choose which tickets you want.',
    chooseCount: 'Choose how many tickets you want.',
    otherCount: name => `Choose how many tickets of ${name} you would take.`,
    otherTwice: name => `You have chosen ${name} twice.`,
    seatsDiffer: (seats, tickets) => `You want ${words.tickets(tickets)} and have chosen ${seats} ${seats === 1 ? 'seat' : 'seats'}: it must be as many.`,
    tooManyNeeds: 'That is more places than tickets.',
    email: 'Enter the e-mail address that the tickets are to be booked for.',
    emailWrong: 'That is not an e-mail address. It looks like name@example.org.',
    busy: 'Your order could not be saved at this moment. We keep trying, as long as this page is open; there is nothing for you to do.',
    stopped: 'The sale has been halted for the moment. We keep trying to save your order, as long as this page is open.',
    edited: 'We no longer try to send what you chose before. Order again when you are ready.',
    released: 'It is too late to change your order: it is being booked. What becomes of it appears here.',
    confirmed: 'You have your tickets already.',
    over: 'Your turn is over, so this order came too late.',
    ended: 'The sale has ended, so this order came too late.',
    left: 'You have left the line, so you cannot order.',
    takeBackLater: 'Your order could not be taken back just now. It still stands. Please try again.',
    refused: 'That did not work. Please reload the page and try again.',
    givenBack: 'You have given it back. You pay nothing.',
    needs: {wheelchair: n => `${n} for a wheelchair`, companion: n => `${n} for a companion`},
    note: 'You have taken your order back. Nothing will be booked.',
    changed: 'Your order was changed in another window.',
    refund: {
        pending: 'Your money is being paid back.',
        done: 'Your money was paid back.',
        failed: 'Your money could not be paid back yet; the organiser sees to it.',
    },
    heardPlaced: (tickets, email) => `Your order is safe: ${tickets}${email ? `, for ${email}` : ''}.`,
};

// ---- Pure rules -----------------------------------------------------------------------------------------------------

// Currencies whose minor unit is not a hundredth (ISO 4217). Browsers know them by another list, so it is here, as it is
// in page_render.c.
const digitsOf = currency => {
    if ('BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'.includes(currency)) return 0;
    if ('BHD IQD JOD KWD LYD OMR TND'.includes(currency)) return 3;
    return 'CLF UYW'.includes(currency) ? 4 : 2;
};

// An amount in the minor unit: "€45.00", "¥4,500", "KWD 12.500".
export function amountText(amount, currency) {
    const digits = digitsOf(currency);
    const isSign = ['EUR', 'GBP', 'USD', 'JPY'].includes(currency);
    return new Intl.NumberFormat(words.locale, {
        style: 'currency', currency, currencyDisplay: isSign ? 'narrowSymbol' : 'code',
        minimumFractionDigits: digits, maximumFractionDigits: digits,
    }).format(amount / 10 ** digits).replaceAll('\u00a0', ' ');
}

export const countOf = tickets => Object.values(tickets).reduce((sum, count) => sum + count, 0);

export const sumOf = (tier, tickets) =>
    tier.prices.reduce((sum, price) => sum + price.amount * (tickets[price.code] ?? 0), 0);

// "2 × Floor"; "Stalls: 2 × Adult, 1 × Child".
export function ticketsText(tier, tickets) {
    if (tier.prices.length <= 1) return `${countOf(tickets)} × ${tier.name}`;
    const names = Object.fromEntries(tier.prices.map(price => [price.code, price.name]));
    const codes = [...tier.prices.map(price => price.code), ...Object.keys(tickets)];
    const parts = [...new Set(codes)].filter(code => tickets[code] > 0).map(code => `${tickets[code]} × ${names[code] ?? code}`);
    return `${tier.name}: ${parts.join(', ')}`;
}

// The same number of tickets in another tier: price by price where it has the same ones, else all of its first.
export function sameIn(tier, tickets) {
    const codes = Object.keys(tickets).filter(code => tickets[code] > 0);
    const isSame = codes.every(code => tier.prices.some(price => price.code === code));
    if (isSame) return Object.fromEntries(codes.map(code => [code, tickets[code]]));
    return countOf(tickets) > 0 ? {[tier.prices[0].code]: countOf(tickets)} : {};
}

// Which section tells what became of an order; page_outcome() in page_order.c is the same rule. In its turn an order is handed
// over within moments, and nobody is told of that alone: so it counts as being booked.
export function outcomeOf(order, line, eventState) {
    switch (order?.state) {
    case undefined:
        return null;
    case 'placed':
        return line === 'turn' && eventState !== 'stopped' ? 'released' : null;
    case 'cancelled':
        return order.reference ? 'cancelled' : null;
    case 'refused':
        return ['customer_limit', 'tier_closed', 'event_closed', 'seats_taken'].includes(order.reason) ? order.reason : 'refused';
    case 'held':
    case 'declined': // the places are kept all the same
        return 'held';
    case 'failed':
        return order.reason === 'payment_failed' ? order.reason : order.state;
    default:
        return order.state;
    }
}

// Whether nothing but the outcome is to be shown.
export const standsAlone = outcome =>
    ['released', 'held', 'paying', 'action_required', 'standby', 'confirmed'].includes(outcome);

// Attempts and, within one, revisions only grow; what is not higher was known before.
export const isNews = (known, order) => !known || order.attempt > known.attempt ||
    (order.attempt === known.attempt && order.revision > known.revision);

// "K7QM-4WDP" as it is read out.
export const spelled = reference => (reference ?? '').split('-').map(part => [...part].join(' ')).join(', ');

// What is wrong with a form, as the server would say it: [{field, detail}].
export function problemsOf(draft, event) {
    const problems = [];
    const {max_per_order: most} = event;
    const check = (count, none, field) => {
        if (count < 1) problems.push({field, detail: none});
        else if (count > most) problems.push({field, detail: words.tooMany(most)});
    };
    if (!draft.tier) problems.push({field: 'tier', detail: words.chooseTier});
    else check(countOf(draft.tickets), words.chooseCount, 'tickets');
    const {seats, needs} = draft, count = countOf(draft.tickets);
    if (seats.length > 0 && seats.length !== count) problems.push({field: 'seats', detail: words.seatsDiffer(seats.length, count)});
    if (countOf(needs) > Math.max(count, 1)) problems.push({field: 'needs', detail: words.tooManyNeeds});
    const tiers = [draft.tier];
    for (const {tier, tickets} of draft.alternatives) {
        const {name} = event.tiers.find(each => each.code === tier);
        if (tiers.includes(tier)) problems.push({field: 'alternatives', detail: words.otherTwice(name)});
        else check(countOf(tickets), words.otherCount(name), 'alternatives');
        tiers.push(tier);
    }
    if (!draft.email) problems.push({field: 'email', detail: words.email});
    else if (!/^[^\s@]+@[^\s@]+$/.test(draft.email)) problems.push({field: 'email', detail: words.emailWrong});
    return problems;
}

const typeOf = problem => String(problem.type ?? '').replace('/problems/', '');

// Where on the page a field's problem is told.
export function placeOf(field) {
    const root = field.split('.')[0];
    return ['email', 'name', 'alternatives', 'seats', 'needs'].includes(root) ? root : 'tickets';
}

// ---- The form's fields ----------------------------------------------------------------------------------------------

// Only whole numbers; what is none counts as too many rather than as something else than was typed.
function countIn(input) {
    const text = input.value.trim();
    if (text === '' && !input.validity.badInput) return 0;
    return /^\d{1,6}$/.test(text) ? Number(text) : Infinity;
}

// A number field with buttons beside it, big enough for a thumb. The field stays what counts.
function addButtons(input, name) {
    const button = (sign, label, step) => {
        const made = document.createElement('button');
        made.type = 'button';
        made.textContent = sign;
        made.setAttribute('aria-label', label);
        made.addEventListener('click', () => {
            const count = countIn(input);
            input.value = Math.min(Number(input.max), Math.max(0, (Number.isFinite(count) ? count : 0) + step));
            input.dispatchEvent(new Event('input', {bubbles: true}));
        });
        return made;
    };
    input.before(button('−', words.less(name), -1));
    input.after(button('+', words.more(name), 1));
}

function newStep(id, price, isOnly, most, currency) {
    const step = document.createElement('div');
    step.className = 'step';
    const label = document.createElement('label');
    label.htmlFor = id;
    const name = document.createElement('span');
    name.className = 'step-name';
    name.textContent = isOnly ? 'Tickets' : price.name;
    const amount = document.createElement('span');
    amount.className = 'price';
    amount.textContent = amountText(price.amount, currency);
    label.append(name, ' ', amount);
    const stepper = document.createElement('span');
    stepper.className = 'stepper';
    const input = document.createElement('input');
    Object.assign(input, {type: 'number', id, inputMode: 'numeric', min: 0, max: most, value: 0, autocomplete: 'off'});
    input.dataset.price = price.code;
    stepper.append(input);
    step.append(label, stepper);
    addButtons(input, isOnly ? words.single : price.name);
    return step;
}

const ticketsIn = element => Object.fromEntries([...element.querySelectorAll('input[data-price]')]
    .map(input => [input.dataset.price, countIn(input)]).filter(([, count]) => count > 0));

function fillTickets(element, tickets) {
    for (const input of element.querySelectorAll('input[data-price]')) input.value = tickets[input.dataset.price] ?? 0;
}

// The form as an object and back. Other choices follow the first one's number until somebody sets theirs.
class Fields {
    #event;
    #choices = new Map(); // SeatChoice of each seated tier, by its code
    form = $('order-form');

    constructor(event, onEdit, say) {
        this.#event = event;
        this.form.noValidate = true; // problems are told in the page's own words, at the field
        for (const option of this.form.querySelectorAll('.option')) {
            const {prices} = this.#tier(option.dataset.tier) ?? {prices: []};
            for (const input of option.querySelectorAll('input[data-price]')) {
                const price = prices.find(each => each.code === input.dataset.price);
                addButtons(input, prices.length > 1 ? price?.name : words.single);
            }
        }
        for (const input of this.form.querySelectorAll('#order-needs input')) addButtons(input, words.place);
        for (const element of this.form.querySelectorAll('.seats')) this.#addChoice(element, say);
        for (const select of this.form.querySelectorAll('.other select'))
            select.addEventListener('change', () => this.#choose(select.closest('.other'), null));
        this.form.addEventListener('input', event => {
            const other = event.target.closest('.other');
            if (other && event.target.matches('input')) other.dataset.own = 'true';
            else if (event.target.closest('.options')) this.#follow();
            else if (event.target.closest('#order-needs')) this.#choices.forEach(choice => choice.refresh());
            onEdit();
        });
        this.form.addEventListener('change', onEdit);
        for (const other of this.form.querySelectorAll('.other')) this.#choose(other, null);
    }

    #addChoice(element, say) {
        const {slug, currency} = this.#event();
        const option = element.closest('.option'), code = option.dataset.tier;
        this.#choices.set(code, new SeatChoice(element, code, {
            url: `/v1/events/${slug}/seats`,
            tier: () => this.#tier(code),
            mayTake: kind => kind === 'ordinary' || this.#needs()[kind] > 0,
            most: () => this.#event().max_per_order,
            price: amount => amountText(amount, currency),
            say,
            onChange: isCounted => {
                if (isCounted) this.#countSeats(option, code);
                option.querySelector('input[data-price]').dispatchEvent(new Event('input', {bubbles: true}));
            },
        }));
    }

    // As many tickets as seats: what is missing is added to the first price, what is too much is taken from the last.
    #countSeats(option, code) {
        const inputs = [...option.querySelectorAll('input[data-price]')];
        let more = this.#choices.get(code).names.length - countOf(ticketsIn(option));
        if (more > 0) inputs[0].value = (countIn(inputs[0]) || 0) + more;
        for (const input of inputs.reverse()) {
            const less = Math.min(countIn(input), Math.max(0, -more));
            if (less > 0) input.value = countIn(input) - less;
            more += less;
        }
    }

    #needs() {
        const of = need => $(`order-${need}`) ? countIn($(`order-${need}`)) : 0;
        return {wheelchair: of('wheelchair'), companion: of('companion')};
    }

    #tier(code) {
        return this.#event().tiers.find(tier => tier.code === code);
    }

    #option() {
        return this.form.querySelector('input[type=radio]:checked')?.closest('.option');
    }

    // Shows the prices of another choice's tier. Without tickets they follow the first choice.
    #choose(other, tickets) {
        const tier = this.#tier(other.querySelector('select').value);
        const steps = other.querySelector('.steps');
        const {max_per_order: most, currency} = this.#event();
        other.dataset.own = String(Boolean(tickets));
        steps.replaceChildren(...(tier?.prices ?? []).map((price, i) =>
            newStep(`other-${other.dataset.other}-${i}`, price, tier.prices.length === 1, most, currency)));
        if (tier) fillTickets(steps, tickets ?? sameIn(tier, this.#first()));
    }

    #first() {
        const option = this.#option();
        return option ? ticketsIn(option) : {};
    }

    #follow() {
        for (const other of this.form.querySelectorAll('.other[data-own="false"]')) {
            const tier = this.#tier(other.querySelector('select').value);
            if (tier) fillTickets(other, sameIn(tier, this.#first()));
        }
    }

    read() {
        const option = this.#option();
        const others = [...this.form.querySelectorAll('.other')].filter(other => other.querySelector('select').value);
        return {
            tier: option?.dataset.tier ?? null,
            tickets: this.#first(),
            seats: this.#choices.get(option?.dataset.tier)?.names ?? [],
            needs: Object.fromEntries(Object.entries(this.#needs()).filter(([, count]) => count > 0)),
            alternatives: others.map(other => ({tier: other.querySelector('select').value, tickets: ticketsIn(other)})),
            email: $('order-email').value.trim(),
            name: $('order-name').value.trim(),
        };
    }

    fill({tier, tickets, seats, needs, alternatives, email, name}) {
        for (const option of this.form.querySelectorAll('.option')) {
            const radio = option.querySelector('input[type=radio]');
            const isIt = option.dataset.tier === tier && !radio.disabled;
            if (isIt) radio.checked = true;
            fillTickets(option, isIt ? tickets ?? {} : {});
            this.#choices.get(option.dataset.tier)?.set(isIt ? seats ?? [] : []);
        }
        for (const need of ['wheelchair', 'companion']) if ($(`order-${need}`)) $(`order-${need}`).value = needs?.[need] ?? 0;
        if (countOf(needs ?? {}) > 0) $('order-needs').open = true;
        [...this.form.querySelectorAll('.other')].forEach((other, i) => {
            other.querySelector('select').value = alternatives?.[i]?.tier ?? '';
            this.#choose(other, alternatives?.[i]?.tickets ?? null);
        });
        if (alternatives?.length > 0) $('order-others').open = true;
        if (email) $('order-email').value = email;
        if (name) $('order-name').value = name;
    }

    tell(problems) {
        for (const place of ['tickets', 'seats', 'needs', 'alternatives', 'email', 'name']) {
            const told = problems.filter(problem => placeOf(problem.field) === place);
            const element = $(`problem-${place}`);
            setText(element, told.map(problem => problem.detail).join(' '));
            show(element, told.length > 0);
            const input = this.form.querySelector(`input#order-${place}`);
            if (input) input.toggleAttribute('aria-invalid', told.length > 0);
            if (input && told.length > 0) input.setAttribute('aria-invalid', 'true');
        }
        const place = ['tickets', 'seats', 'needs', 'alternatives', 'email', 'name'].find(each => !$(`problem-${each}`).hidden);
        if (!place) return;
        if (place === 'alternatives') $('order-others').open = true;
        if (place === 'needs') $('order-needs').open = true;
        const choice = this.#choices.get(this.#option()?.dataset.tier);
        if (place === 'seats' && choice) return choice.focus();
        const target = {
            needs: () => $('order-wheelchair'),
            tickets: () => this.#option()?.querySelector('input[data-price]') ?? this.form.querySelector('input[type=radio]:enabled'),
            alternatives: () => this.form.querySelector('.other select'),
        }[place]?.() ?? $(`order-${place}`);
        target?.focus();
        target?.scrollIntoView({block: 'center'});
    }
}

// ---- Sending, and what is shown -------------------------------------------------------------------------------------

// `page` is what onsale.js lends: known, clock, say(text, isUrgent), tell(problem or null), render(), forgetPlace(), restart().
export class Ordering {
    #page;
    #url;
    #draftKey;
    #fields;
    #hold;
    #pay;
    #order = null; // the visitor's newest, as in GET order
    #isEditing = false;
    #sending = null; // {body, attempt, timer}: an order on its way
    #isUnknown; // the server could not say whether there is an order
    #takingBack = false;
    #problem = null;
    #note = null;
    #isOther = !document.querySelector('.other-choice').hidden; // booked was not what was wanted first
    #shown = null; // the outcome that is shown

    constructor(page, order) {
        const {slug} = page.known.event;
        this.#page = page;
        this.#url = `/v1/events/${slug}/order`;
        this.#draftKey = `onsale-draft:${slug}`;
        this.#isUnknown = order === false;
        this.#order = order || null;
        this.#shown = this.outcome;
        this.#fields = new Fields(() => page.known.event, () => this.#onEdit(), (text, isUrgent) => page.say(text, isUrgent));
        this.#hold = new Hold(page, this.#url, reply => this.hear(reply));
        this.#pay = new Pay(page, slug, {
            order: () => this.#order,
            amount: order => amountText(order.amount, order.currency),
            hear: reply => this.hear(reply),
            look: () => this.#look(),
        });
        this.#fields.form.addEventListener('submit', submit => this.#onSubmit(submit));
        $('order-change').addEventListener('click', click => this.#edit(click, true));
        $('order-unchanged').addEventListener('click', click => this.#edit(click, false));
        for (const form of all('#take-back form, .give-back form')) form.addEventListener('submit', submit => this.#onTakeBack(submit));
        this.#recallDraft();
    }

    get order() {
        return this.#order;
    }

    get outcome() {
        const {event, mine} = this.#page.known;
        return outcomeOf(this.#order, mine?.line, event.state);
    }

    // Nothing more is to be expected of it. The organiser may yet book an order that failed, and cancel one that was booked.
    get isOver() {
        return !this.#order || ['sold_out', 'refused', 'expired', 'cancelled'].includes(this.#order.state);
    }

    // An order from the stream or an answer. False: nothing new.
    hear(order) {
        this.#page.clock.hear(order.now);
        this.#isUnknown = false;
        if (!isNews(this.#order, order)) return this.#hearAgain(order);
        const isOwn = this.#sending !== null || this.#takingBack;
        const before = this.#order;
        this.#order = order;
        if (before?.attempt === order.attempt && before.tier !== order.tier) this.#isOther = order.state === 'confirmed';
        if (order.state !== 'placed') this.#isEditing = false;
        else if (this.#isEditing && !isOwn) this.#note = words.changed;
        if (before?.state !== order.state) this.#problem = null;
        if (this.isOver) this.#page.tell(null);
        return true;
    }

    // The same again: only what changes without anything being done to the order may be another.
    #hearAgain({attempt, revision, ahead, pay_until: payUntil, ...rest}) {
        const known = this.#order;
        if (known.attempt !== attempt || known.revision !== revision) return false;
        const isSame = known.ahead === ahead && known.pay_until === payUntil;
        this.#order = {...known, ...rest, attempt, revision, ahead, pay_until: payUntil};
        return !isSame;
    }

    // The clocks on the page, once a second.
    tick() {
        this.#hold.tick();
    }

    // The stream has begun: from here on, no word of an order means that there is none.
    settle() {
        this.#isUnknown = false;
    }

    // Another place, so another order or none.
    forget() {
        this.#order = null;
        this.#isUnknown = false;
        this.#isEditing = false;
        this.#problem = this.#note = null;
        this.#stopSending();
    }

    // Which part the page has room for: null, 'placed' or 'form'.
    #section(panel) {
        if (this.#isUnknown || !['lobby', 'waiting', 'turn'].includes(panel)) return null;
        if (this.#order?.state === 'placed' && !this.#isEditing) return 'placed';
        return this.#fields.form.querySelector('input[type=radio]:enabled') ? 'form' : null;
    }

    render(panel) {
        const section = this.#section(panel), order = this.#order;
        const isPlaced = order?.state === 'placed', isTurn = panel === 'turn';
        show($('order'), section !== null);
        show($('order-placed'), section === 'placed');
        show($('order-form'), section === 'form');
        setText($('order-title'), section === 'placed' ? words.titlePlaced : isPlaced ? words.titleChange : words.titleNew);
        const isPaidLater = this.#pay.isPaidLater;
        show($('order-later'), !isTurn && !isPaidLater);
        show($('order-later-pay'), !isTurn && isPaidLater);
        show($('order-soon'), isTurn);
        show($('order-why'), !isTurn);
        show($('order-keep-old'), isPlaced);
        const isTakenBack = order?.state === 'cancelled' && this.outcome === null;
        const note = this.#note ?? (isTakenBack ? words.note : null);
        show($('order-note'), note !== null);
        setText($('order-note'), note ?? '');
        show($('order-problem'), this.#problem !== null);
        setText($('order-problem'), this.#problem ?? '');
        if (order) this.#renderOrder(order);
        this.#renderSum();
        this.#renderOutcome(section);
    }

    #tier(code) {
        return this.#page.known.event.tiers.find(tier => tier.code === code) ?? {name: code, prices: []};
    }

    #text({tier, tickets, quantity}) {
        return ticketsText(this.#tier(tier), tickets ?? {'': quantity});
    }

    #renderOrder(order) {
        const amount = order.amount > 0 ? amountText(order.amount, order.currency) : words.nothing;
        const others = order.alternatives ?? [];
        const fill = (selector, text) => all(selector).forEach(element => setText(element, text));
        if (order.tier) fill('.order-tickets', this.#text(order));
        fill('.order-noun', words.noun(order.quantity ?? countOf(order.tickets ?? {})));
        fill('.order-amount', amount);
        const isPaid = order.amount > 0 && order.state === 'confirmed' && document.documentElement.dataset.payment !== 'door';
        for (const element of all('.order-due')) show(element, order.amount > 0 && !isPaid);
        show(document.querySelector('.order-paid'), isPaid);
        const seats = seatsText(order.seats), gone = seatsText(order.gone);
        for (const element of all('.order-seats-line')) show(element, seats !== '');
        fill('.order-seats', seats);
        show(document.querySelector('.order-gone-line'), gone !== '');
        fill('.order-gone', gone);
        const needs = Object.entries(order.needs ?? {}).map(([need, count]) => words.needs[need]?.(count)).filter(Boolean);
        show(document.querySelector('.order-needs-line'), needs.length > 0);
        fill('.order-needs', needs.join(', '));
        show(document.querySelector('.order-free'), !(order.amount > 0));
        if (order.email) fill('.order-email', order.email);
        for (const element of all('.order-mail')) show(element, Boolean(order.email));
        fill('.order-reference', order.reference ?? '');
        fill('.order-spelled', spelled(order.reference));
        show(document.querySelector('div.order-others'), others.length > 0);
        setText($('order-alternatives'), others.map(other => this.#text(other)).join(words.then));
        show(document.querySelector('.other-choice'), order.state === 'confirmed' && this.#isOther);
        setText($('refund'), words.refund[order.refund] ?? '');
        this.#hold.render(order);
        this.#pay.render();
    }

    #renderSum() {
        const {tier, tickets} = this.#fields.read();
        const count = countOf(tickets), {currency, max_per_order: most} = this.#page.known.event;
        const isSum = tier !== null && count > 0 && count <= most;
        const isPlaced = this.#order?.state === 'placed';
        const amount = isSum ? amountText(sumOf(this.#tier(tier), tickets), currency) : '';
        show($('order-sum-line'), isSum);
        setText($('order-sum'), amount);
        const make = isPlaced ? words.changeTo : words.orderFor;
        const text = isSum ? make(words.tickets(count), amount) : isPlaced ? words.change : words.order;
        setText($('order-send'), this.#sending ? words.sending : text);
        $('order-send').setAttribute('aria-disabled', String(this.#sending !== null));
    }

    #renderOutcome(section) {
        const {outcome} = this;
        for (const element of all('.outcome')) show(element, element.dataset.outcome === outcome);
        show($('outcome-again'), outcome !== null && section === 'form');
        if (outcome === this.#shown) return;
        this.#shown = outcome;
        if (outcome === null) return;
        // Nobody may miss it: it is said at once, and it is where one is.
        const element = document.querySelector(`.outcome[data-outcome="${outcome}"]`);
        this.#page.say([...element.querySelectorAll('h2, .lead')].filter(each => !each.hidden)
            .map(each => each.innerText.trim()).join(' '), true);
        element.focus({preventScroll: true});
        element.scrollIntoView({block: 'start'});
    }

    // The draft is what was chosen, kept for this tab until it is ordered. E-mail and name are not in it: they are somebody's
    // own, the tab may be on a borrowed machine, and the browser fills them in.
    #keepDraft() {
        const {tier, tickets, seats, needs, alternatives} = this.#fields.read();
        try {
            sessionStorage.setItem(this.#draftKey,
                                   JSON.stringify({tier, tickets, seats, needs, alternatives, isEditing: this.#isEditing}));
        } catch {
            // Then a reload begins anew.
        }
    }

    #recallDraft() {
        try {
            const draft = JSON.parse(sessionStorage.getItem(this.#draftKey));
            if (!draft || (this.#order?.state === 'placed') !== draft.isEditing) return;
            this.#isEditing = draft.isEditing;
            this.#fields.fill({...this.#order, ...draft});
        } catch {
            // No draft, or none that can be read.
        }
    }

    #dropDraft() {
        try {
            sessionStorage.removeItem(this.#draftKey);
        } catch {
            // There is none then.
        }
    }

    #onEdit() {
        this.#keepDraft();
        if (this.#sending) {
            this.#stopSending();
            this.#problem = words.edited;
        }
        this.#page.render();
    }

    #edit(click, isEditing) {
        click.preventDefault();
        this.#stopSending();
        this.#isEditing = isEditing;
        this.#problem = this.#note = null;
        this.#fields.tell([]);
        if (isEditing) {
            this.#fields.fill(this.#order);
            this.#keepDraft();
        } else {
            this.#dropDraft();
        }
        this.#page.render();
        this.#comeHere();
    }

    #comeHere() {
        $('order').focus({preventScroll: true});
        $('order').scrollIntoView({block: 'start'});
    }

    #stopSending() {
        clearTimeout(this.#sending?.timer);
        this.#sending = null;
    }

    #onSubmit(submit) {
        submit.preventDefault();
        if (this.#sending) return;
        const draft = this.#fields.read();
        const problems = problemsOf(draft, this.#page.known.event);
        this.#problem = this.#note = null;
        this.#page.tell(null);
        this.#fields.tell(problems);
        if (problems.length > 0) return this.#page.render();
        const {tier, tickets, seats, needs, alternatives, email, name} = draft;
        const body = {tier, tickets, email, lang: document.documentElement.lang || 'en'};
        if (seats.length > 0) body.seats = seats;
        const isSeated = [tier, ...alternatives.map(other => other.tier)].some(code => this.#tier(code).seated);
        if (isSeated && countOf(needs) > 0) body.needs = needs;
        if (alternatives.length > 0) body.alternatives = alternatives;
        if (name) body.name = name;
        this.#sending = {body: JSON.stringify(body), attempt: 0, timer: null};
        this.#page.render();
        this.#send(this.#sending);
    }

    async #send(sending) {
        let answer = null, reply = null;
        try {
            answer = await fetch(this.#url, {method: 'PUT', body: sending.body, headers: {'Content-Type': 'application/json'}});
            reply = await answer.json();
        } catch {
            // No answer, or half of one, is treated like a busy server: the same order is sent again, which does no harm.
        }
        if (sending !== this.#sending) {
            // Given up meanwhile, but it may have been taken: what the server has is what counts.
            if (answer?.ok && reply) this.hear(reply);
            return this.#page.render();
        }
        const isBusy = reply === null ||
            ([429, 502, 503, 504].includes(answer.status) && typeOf(reply) !== 'too-many-changes');
        if (isBusy) return this.#sendAgain(sending, answer);
        this.#sending = null;
        if (answer.ok) this.#onPlaced(reply);
        else this.#onRefused(answer.status, reply);
    }

    #sendAgain(sending, answer) {
        this.#problem = this.#page.known.event.state === 'stopped' ? words.stopped : words.busy;
        this.#page.render();
        const retryAfter = Number(answer?.headers.get('Retry-After')) || 0;
        const delay = retryDelay(++sending.attempt, retryAfter, Math.random());
        sending.timer = setTimeout(() => this.#send(sending), delay);
    }

    #onPlaced(order) {
        this.hear(order);
        this.#isEditing = false;
        this.#problem = this.#note = null;
        this.#dropDraft();
        this.#page.render();
        if (this.outcome) return; // in the turn: its section has come forward
        this.#page.say(words.heardPlaced(this.#text(this.#order), this.#order.email));
        this.#comeHere();
    }

    #onRefused(status, problem) {
        const type = typeOf(problem);
        if (status === 401) return this.#page.forgetPlace();
        if (status === 422 && problem.errors?.length > 0) {
            this.#fields.tell(problem.errors);
            return this.#page.render();
        }
        const said = {released: words.released, confirmed: words.confirmed, left: words.left, 'turn-over': words.over,
                      'sold-out': words.ended, closed: words.ended};
        this.#page.tell(said[type] ?? problem.detail ?? words.refused);
        if (type === 'released' || type === 'confirmed') {
            this.#isEditing = false;
            this.#look();
        }
        this.#page.render();
        this.#page.restart(); // the line, the event or the order are not what this page took them for
    }

    // What became of it meanwhile. No answer is no harm: the stream says it too. False: there was none.
    async #look() {
        const answer = await fetch(this.#url, {cache: 'no-store'}).catch(() => null);
        const order = answer?.ok ? await answer.json().catch(() => null) : null;
        if (order) {
            this.hear(order);
            this.#page.render();
        }
        return order !== null;
    }

    async #onTakeBack(submit) {
        submit.preventDefault();
        if (this.#takingBack) return;
        this.#takingBack = true;
        this.#page.tell(null);
        let answer = null, reply = null;
        try {
            answer = await fetch(this.#url, {method: 'DELETE'});
            reply = await answer.json();
        } catch {
            // Said below.
        }
        if (answer?.ok && reply) {
            this.hear(reply);
            this.#fields.fill(reply);
            for (const element of all('#take-back, .give-back')) element.open = false;
        }
        this.#takingBack = false;
        this.#page.render();
        if (answer?.ok && reply) this.outcome ? this.#page.say(words.givenBack, true) : this.#comeHere();
        else if (reply && answer.status < 500 && answer.status !== 429) this.#onRefused(answer.status, reply);
        else this.#tellAndRender(words.takeBackLater);
    }

    #tellAndRender(problem) {
        this.#page.tell(problem);
        this.#page.render();
    }
}
