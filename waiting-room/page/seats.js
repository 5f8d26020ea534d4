// SPDX-License-Identifier: Apache-2.0
// The plan of the hall: seats in words, the plan to choose on, and the small one that shows one's own seats. Parts, in this order:
// words, pure rules, drawing, the server's document, choosing. order.js makes a SeatChoice for each seated tier of its form.

import {setText} from './dom.js';

const words = {
    row: name => `Row ${name}`,
    anotherRow: name => `row ${name}`,
    seats: (n, numbers) => `${n === 1 ? 'seat' : 'seats'} ${numbers}`,
    run: (first, last) => `${first} to ${last}`,
    and: ' and ',
    name: (row, number) => `Row ${row}, seat ${number}`,
    kinds: {ordinary: '', wheelchair: ', for a wheelchair', companion: ', for the companion of somebody in a wheelchair'},
    free: price => `, free, ${price}`,
    taken: ', taken',
    chosen: price => `, chosen, ${price}`,
    priceRange: (low, high) => low === high ? low : `${low} to ${high}`,
    open: 'Choose on the plan',
    chosenSeats: 'Your seats: ',
    chooseForMe: 'Choose for me instead',
    hint: 'Choose as many seats as you want tickets.',
    keys: ' With a keyboard: arrow keys move over the plan, the space bar chooses.',
    plan: name => `Plan of ${name}: rows from the stage to the back`,
    stage: 'Stage',
    size: 'Size of the plan',
    smaller: 'Draw the plan smaller',
    bigger: 'Draw the plan bigger',
    legend: {free: 'free', chosen: 'yours', taken: 'taken', wheelchair: 'for a wheelchair', companion: 'for a companion'},
    forNeeds: 'This place is kept for a wheelchair or a companion. Say below that you need one, then you can choose it.',
    tooMany: n => `At most ${n} ${n === 1 ? 'ticket' : 'tickets'} in one order.`,
    lost: seats => `${seats}: just taken by somebody else. Please choose again.`,
    picked: (name, n) => `${name} chosen. ${n} in all.`,
    dropped: (name, n) => `${name} no longer chosen. ${n} in all.`,
    loading: 'The plan is being fetched…',
    away: 'The plan cannot be fetched just now. We keep trying; the best free seats can be chosen for you without it.',
    mine: seats => `The plan of the hall with your seats: ${seats}. The stage is at the top.`,
    mineCaption: 'Your seats are the filled ones. The stage is at the top.',
};

// ---- Pure rules -----------------------------------------------------------------------------------------------------

// "1-3,7" as [1, 2, 3, 7].
export const numbersOf = text => (text ?? '').split(',').filter(Boolean).flatMap(part => {
    const [first, last = first] = part.split('-').map(Number);
    return Array.from({length: last - first + 1}, (_, i) => first + i);
});

// "A-12" in its two parts; a row may have dashes.
export const splitName = name => {
    const dash = name.lastIndexOf('-');
    return {row: name.slice(0, dash), number: Number(name.slice(dash + 1))};
};

// What stands in the form's field, "A-12, A-13", as names.
export const namesIn = text => text.split(',').map(name => name.trim()).filter(Boolean);

// ["A-12","A-13"] as "Row A, seats 12 and 13"; page_seats.c says the same words.
export function seatsText(names) {
    const rows = new Map();
    for (const {row, number} of (names ?? []).map(splitName)) rows.set(row, [...rows.get(row) ?? [], number]);
    return [...rows].map(([row, numbers], i) => {
        numbers.sort((a, b) => a - b);
        const parts = [];
        for (let first = 0, end; first < numbers.length; first = end) {
            end = first + 1;
            while (end < numbers.length && numbers[end] === numbers[end - 1] + 1) end++;
            if (end - first < 3) end = first + 1;
            parts.push(end - first > 1 ? words.run(numbers[first], numbers[end - 1]) : String(numbers[first]));
        }
        const last = parts.pop();
        const list = parts.length > 0 ? parts.join(', ') + words.and + last : last;
        return `${i === 0 ? words.row(row) : words.anotherRow(row)}, ${words.seats(numbers.length, list)}`;
    }).join('; ');
}

// A tier of the document with what is needed to draw it: each row's seats with a column, and how many columns there are. Numbers that
// differ by one are side by side. Rows stand by their numbers below each other, unless they go on counting from row to row.
export function layOut(tier) {
    const rows = tier.rows.map(row => {
        const numbers = numbersOf(row.seats);
        const of = kind => new Set((row[kind] ?? []).map(Number));
        const [wheelchair, companion, blocked] = ['wheelchair', 'companion', 'blocked'].map(of);
        const kindOf = number => wheelchair.has(number) ? 'wheelchair' : companion.has(number) ? 'companion' : 'ordinary';
        return {
            name: row.row,
            seats: numbers.filter(number => !blocked.has(number)).map(number => ({number, kind: kindOf(number)})),
            first: numbers[0],
            last: numbers.at(-1),
            taken: new Set(numbersOf(row.taken)),
            shape: `${row.row} ${row.seats} ${row.blocked ?? ''}`, // rows of the same are drawn the same
            text: JSON.stringify(row),
        };
    });
    const least = Math.min(...rows.map(row => row.first)), most = Math.max(...rows.map(row => row.last));
    const widest = Math.max(...rows.map(row => row.last - row.first + 1));
    const isShared = most - least + 1 <= 2 * widest;
    for (const row of rows) {
        const begin = isShared ? row.first - least : Math.floor((widest - (row.last - row.first + 1)) / 2);
        for (const seat of row.seats) seat.column = begin + seat.number - row.first;
    }
    return {rows, columns: isShared ? most - least + 1 : widest};
}

// The seat that an arrow leads to from one in `row`: of the same row, or nearest by its column in another.
export function seatFrom(hall, row, column, key) {
    const seats = hall.rows[row]?.seats ?? [];
    const index = seats.findIndex(seat => seat.column === column);
    const nearest = (at, step) => {
        let to = at + step;
        while (hall.rows[to] && hall.rows[to].seats.length === 0) to += step;
        const best = hall.rows[to]?.seats.reduce((a, b) => Math.abs(b.column - column) < Math.abs(a.column - column) ? b : a);
        return best ? {row: to, column: best.column} : null;
    };
    const same = seat => seat ? {row, column: seat.column} : null;
    switch (key) {
    case 'ArrowLeft':
        return same(seats[index - 1]);
    case 'ArrowRight':
        return same(seats[index + 1]);
    case 'ArrowUp':
        return nearest(row, -1);
    case 'ArrowDown':
        return nearest(row, 1);
    case 'Home':
        return same(seats[0]);
    case 'End':
        return same(seats.at(-1));
    default:
        return null;
    }
}

// ---- Drawing --------------------------------------------------------------------------------------------------------

const UNIT = 100; // of a seat's side, inside a drawing

function make(name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
}

function draw(name, attributes, ...children) {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
}

// What is said by a shape is written on it as well: colours alone tell nothing to some.
const signs = {taken: '×', chosen: '✓', wheelchair: 'W', companion: 'C'};
const signOf = (state, kind, number) => signs[state] ?? signs[kind] ?? number;

const drawSeat = x => draw('g', {transform: `translate(${x} 0)`},
                           draw('rect', {x: 9, y: 9, width: 82, height: 82, rx: 20}),
                           draw('text', {x: 50, y: 64, 'aria-hidden': true}));

function legend() {
    const list = make('ul', 'plan-legend');
    for (const [name, text] of Object.entries(words.legend)) {
        const seat = drawSeat(0), item = make('li');
        const isKind = name === 'wheelchair' || name === 'companion';
        seat.setAttribute('class', `chair ${isKind ? 'free' : name}`);
        setText(seat.lastChild, String(isKind ? signs[name] : signs[name] ?? ''));
        item.append(draw('svg', {viewBox: `0 0 ${UNIT} ${UNIT}`, 'aria-hidden': true}, seat), text);
        list.append(item);
    }
    return list;
}

// A small plan of a tier with some of its seats filled: two shapes, however many seats there are.
export function drawMine(figure, hall, names) {
    const mine = new Set(names);
    const path = isMine => hall.rows.map((row, y) => row.seats
        .filter(seat => mine.has(`${row.name}-${seat.number}`) === isMine)
        .map(({column}) => isMine ? `M${column * 10} ${y * 10}h10v10h-10z` : `M${column * 10 + 2} ${y * 10 + 2}h6v6h-6z`)
        .join('')).join('');
    const image = draw('svg', {viewBox: `-5 -9 ${hall.columns * 10 + 10} ${hall.rows.length * 10 + 14}`, role: 'img',
                               'aria-label': words.mine(seatsText(names))},
                       draw('path', {class: 'stage', d: `M${hall.columns * 2.5} -5h${hall.columns * 5}`}),
                       draw('path', {class: 'others', d: path(false)}), draw('path', {class: 'own', d: path(true)}));
    figure.replaceChildren(image, make('figcaption', 'quiet', words.mineCaption));
    figure.hidden = false;
}

// ---- The server's document ------------------------------------------------------------------------------------------

const hallsOf = new Map(); // {text, hall} by a tier's code: what did not change is not laid out again

// The hall of one tier. It throws when the server does not give it.
export async function fetchHall(url, code) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const tier = (await answer.json()).tiers[code];
    if (!tier || tier.rows.length === 0) throw new Error('no such tier');
    // Not by its version, which tells of seats that were taken or given back: the hall itself may have changed.
    const text = JSON.stringify(tier.rows);
    if (hallsOf.get(code)?.text !== text) hallsOf.set(code, {text, hall: layOut(tier)});
    return hallsOf.get(code).hall;
}

// ---- Choosing -------------------------------------------------------------------------------------------------------

const EVERY_MS = 2000;
const NAME_LETTERS = 10; // so long may a row's name be until it is cut
const PITCHES = [20, 26, 34, 44]; // pixels from seat to seat

// The seats of one tier in the form: chosen by the server, or here. What is chosen stands in the form's own field.
// `page`: {url, tier() of the public document, mayTake(kind), most(), price(amount), say(text), onChange()}.
export class SeatChoice {
    #page;
    #code;
    #field;
    #best;
    #names = [];
    #hall = null;
    #details = make('details', 'plan');
    #grid = make('div', 'plan-grid');
    #scroll = make('div', 'plan-scroll');
    #note = make('p', 'plan-note');
    #told = make('p', 'chosen-seats');
    #toldText = make('strong');
    #rows = [];
    #at = null; // {row, column} of the seat that the tab key leads to
    #pitch = matchMedia('(pointer: coarse)').matches || innerWidth < 600 ? 2 : 1;
    #observer = null;
    #watching = null; // {timer}: this round of asking
    #wasSeen = true; // in the last round

    constructor(element, code, page) {
        this.#page = page;
        this.#code = code;
        this.#field = element.querySelector('input');
        this.#best = element.querySelector('.best');
        element.querySelector('.seat-names').hidden = true;
        this.#note.setAttribute('role', 'status');
        const instead = make('button', 'plain', words.chooseForMe);
        instead.type = 'button';
        instead.addEventListener('click', () => {
            this.#choose([], false);
            this.#details.querySelector('summary').focus();
        });
        this.#told.append(words.chosenSeats, this.#toldText, ' ', instead);
        this.#build();
        element.append(this.#told, this.#details);
        this.#details.addEventListener('toggle', () => this.#watch());
        document.addEventListener('visibilitychange', () => this.#watch());
        this.set(namesIn(this.#field.value));
    }

    get names() {
        return this.#names;
    }

    // From outside: an order, a draft, the field as the server wrote it.
    set(names) {
        this.#names = [...names];
        this.#field.value = this.#names.join(', ');
        this.#render();
        this.refresh();
        this.#watch();
    }

    focus() {
        this.#details.open = true;
        this.#details.querySelector('summary').focus();
    }

    // All that is drawn: others are chosen, or a need was said or taken back, so that other seats can be.
    refresh() {
        this.#rows.forEach((_, i) => this.#paint(i));
    }

    #build() {
        const bar = make('div', 'plan-bar');
        const button = (sign, label, step) => {
            const made = make('button', 'plain', sign);
            made.type = 'button';
            made.setAttribute('aria-label', label);
            made.addEventListener('click', () => this.#zoom(step));
            return made;
        };
        bar.append(make('span', 'quiet', words.size), button('−', words.smaller, -1), button('+', words.bigger, 1));
        this.#grid.setAttribute('role', 'grid');
        this.#grid.setAttribute('aria-multiselectable', 'true');
        this.#grid.addEventListener('click', click => this.#onClick(click));
        this.#grid.addEventListener('keydown', key => this.#onKey(key));
        this.#scroll.append(make('p', 'stage', words.stage), this.#grid);
        const hint = make('p', 'quiet', words.hint);
        hint.append(make('span', 'keys', words.keys));
        this.#details.append(make('summary', '', words.open), hint, bar, this.#scroll, this.#note, legend());
        this.#zoom(0);
    }

    #zoom(step) {
        this.#pitch = Math.min(PITCHES.length - 1, Math.max(0, this.#pitch + step));
        this.#scroll.style.setProperty('--pitch', `${PITCHES[this.#pitch]}px`);
    }

    // The plan is asked for while somebody looks at it, or has chosen on it: a seat may be taken by somebody else.
    #watch() {
        const isOf = !document.hidden && (this.#details.open || this.#names.length > 0);
        if (isOf && !this.#watching) this.#fetch(this.#watching = {timer: null});
        if (isOf) return;
        clearTimeout(this.#watching?.timer);
        this.#watching = null;
    }

    // Once the order is sent, the form stays in the page, hidden. Its plan would only tell that one's own seats are taken; so does one
    // that is a second old when the form comes back because they are one's own no more, and that is why a round is left out then.
    #isSeen() {
        return this.#details.offsetParent !== null;
    }

    async #fetch(watching) {
        if (!this.#hall) setText(this.#note, words.loading);
        try {
            const wasSeen = this.#wasSeen;
            this.#wasSeen = this.#isSeen();
            if (wasSeen && this.#wasSeen) {
                const hall = await fetchHall(this.#page.url, this.#code);
                if (this.#hall !== hall && this.#isSeen()) this.#take(hall);
            }
            if ([words.loading, words.away].includes(this.#note.textContent)) setText(this.#note, '');
        } catch {
            setText(this.#note, words.away);
        }
        if (watching !== this.#watching) return; // nobody looks any more
        watching.timer = setTimeout(() => this.#fetch(watching), EVERY_MS * (0.75 + 0.5 * Math.random()));
    }

    #take(hall) {
        const before = this.#hall?.rows ?? [];
        const isSame = before.length === hall.rows.length && before.every((row, i) => row.shape === hall.rows[i].shape);
        this.#hall = hall;
        const lost = this.#names.filter(name => !this.#isFree(name));
        if (!isSame) this.#drawRows();
        if (lost.length > 0) {
            const text = words.lost(seatsText(lost));
            setText(this.#note, text);
            this.#page.say(text);
            this.#choose(this.#names.filter(name => !lost.includes(name)), false);
        }
        hall.rows.forEach((row, i) => {
            if (row.text !== before[i]?.text) this.#paint(i);
        });
    }

    #isFree(name) {
        const {row, number} = splitName(name);
        const found = this.#hall.rows.find(each => each.name === row);
        return Boolean(found?.seats.some(seat => seat.number === number)) && !found.taken.has(number);
    }

    // A row is drawn when it comes near the visible part: 20,000 seats are more than a phone draws at once.
    #drawRows() {
        const {rows, columns} = this.#hall;
        this.#observer?.disconnect();
        this.#observer = new IntersectionObserver(seen => {
            for (const {target, isIntersecting} of seen) if (isIntersecting) this.#drawRow(Number(target.dataset.row));
        }, {root: this.#scroll, rootMargin: '200px'});
        this.#grid.setAttribute('aria-label', words.plan(this.#page.tier().name));
        this.#grid.setAttribute('aria-rowcount', rows.length);
        this.#scroll.style.setProperty('--columns', columns);
        this.#scroll.style.setProperty('--name-letters', Math.min(NAME_LETTERS, Math.max(...rows.map(row => row.name.length))));
        this.#rows = rows.map((row, i) => {
            const element = make('div', 'plan-row');
            const name = make('span', 'plan-row-name', row.name);
            element.dataset.row = i;
            element.setAttribute('role', 'row');
            element.setAttribute('aria-rowindex', i + 1);
            name.setAttribute('role', 'rowheader');
            name.setAttribute('aria-label', words.row(row.name));
            element.append(name, draw('svg', {viewBox: `0 0 ${columns * UNIT} ${UNIT}`, role: 'presentation'}));
            return {element, seats: null};
        });
        this.#grid.replaceChildren(...this.#rows.map(({element}) => element));
        this.#rows.forEach(({element}) => this.#observer.observe(element));
        const row = rows.findIndex(each => each.seats.length > 0);
        this.#at = row < 0 ? null : {row, column: rows[row].seats[0].column};
        if (this.#at) this.#drawRow(row);
    }

    #drawRow(index) {
        const row = this.#rows[index];
        if (row.seats) return;
        this.#observer.unobserve(row.element);
        row.seats = new Map(this.#hall.rows[index].seats.map(({number, column}) => {
            const seat = drawSeat(column * UNIT);
            seat.dataset.column = column;
            seat.setAttribute('role', 'gridcell');
            seat.setAttribute('tabindex', '-1');
            seat.setAttribute('aria-colindex', column + 1);
            return [number, seat];
        }));
        row.element.lastChild.append(...row.seats.values());
        this.#paint(index);
    }

    #priceText() {
        const amounts = this.#page.tier().prices.map(price => price.amount);
        return words.priceRange(this.#page.price(Math.min(...amounts)), this.#page.price(Math.max(...amounts)));
    }

    // Only what changed is written: the plan may have thousands of seats.
    #paint(index) {
        const drawn = this.#rows[index].seats, row = this.#hall.rows[index];
        if (!drawn) return;
        const price = this.#priceText();
        for (const {number, kind, column} of row.seats) {
            const seat = drawn.get(number);
            const isChosen = this.#names.includes(`${row.name}-${number}`);
            const state = isChosen ? 'chosen' : row.taken.has(number) ? 'taken' : 'free';
            const isOperable = isChosen || (state === 'free' && this.#page.mayTake(kind));
            const isAt = this.#at?.row === index && this.#at.column === column;
            const look = `chair ${state}${isOperable ? '' : ' shut'} ${kind}`;
            if (seat.getAttribute('tabindex') !== (isAt ? '0' : '-1')) seat.setAttribute('tabindex', isAt ? '0' : '-1');
            const label = words.name(row.name, number) + words.kinds[kind] +
                (state === 'taken' ? words.taken : words[state](price));
            if (seat.getAttribute('class') === look && seat.getAttribute('aria-label') === label) continue;
            seat.setAttribute('class', look);
            seat.setAttribute('aria-label', label);
            seat.setAttribute('aria-selected', String(isChosen));
            if (isOperable) seat.removeAttribute('aria-disabled');
            else seat.setAttribute('aria-disabled', 'true');
            setText(seat.lastChild, String(signOf(state, kind, number)));
        }
    }

    #seatAt({row, column}) {
        return this.#hall.rows[row].seats.find(seat => seat.column === column);
    }

    #moveTo(at, isFocused) {
        const before = this.#at;
        this.#at = at;
        this.#drawRow(at.row);
        if (before) this.#paint(before.row);
        this.#paint(at.row);
        if (!isFocused) return;
        const seat = this.#rows[at.row].seats.get(this.#seatAt(at).number);
        seat.focus({preventScroll: true});
        seat.scrollIntoView({block: 'nearest', inline: 'nearest'});
    }

    #onClick(click) {
        const seat = click.target.closest('.chair');
        if (!seat || !this.#hall) return;
        const at = {row: Number(seat.closest('.plan-row').dataset.row), column: Number(seat.dataset.column)};
        this.#moveTo(at, true);
        this.#toggle(at);
    }

    #onKey(key) {
        if (!this.#at || key.altKey || key.ctrlKey || key.metaKey) return;
        if (key.key === ' ' || key.key === 'Enter') {
            key.preventDefault();
            this.#toggle(this.#at);
            return;
        }
        const to = seatFrom(this.#hall, this.#at.row, this.#at.column, key.key);
        if (to || /^(Arrow|Home|End)/.test(key.key)) key.preventDefault();
        if (to) this.#moveTo(to, true);
    }

    #toggle(at) {
        const row = this.#hall.rows[at.row], {number, kind} = this.#seatAt(at);
        const name = `${row.name}-${number}`;
        const isChosen = this.#names.includes(name);
        const refuse = text => {
            setText(this.#note, text);
            this.#page.say(text);
        };
        if (!isChosen && row.taken.has(number)) return;
        if (!isChosen && !this.#page.mayTake(kind)) return refuse(words.forNeeds);
        if (!isChosen && this.#names.length >= this.#page.most()) return refuse(words.tooMany(this.#page.most()));
        const names = isChosen ? this.#names.filter(each => each !== name) : [...this.#names, name];
        this.#choose(names);
        setText(this.#note, '');
        this.#page.say((isChosen ? words.dropped : words.picked)(words.name(row.name, number), names.length));
    }

    #choose(names, isCounted = true) {
        const rows = new Set([...this.#names, ...names].map(name => splitName(name).row));
        this.#names = names;
        this.#field.value = names.join(', ');
        this.#render();
        this.#hall?.rows.forEach((row, i) => {
            if (rows.has(row.name)) this.#paint(i);
        });
        this.#page.onChange(isCounted);
        this.#watch();
    }

    #render() {
        this.#told.hidden = this.#names.length === 0;
        this.#best.hidden = this.#names.length > 0;
        setText(this.#toldText, seatsText(this.#names));
    }
}
