// SPDX-License-Identifier: Apache-2.0
// Keeps the event's page up to date. The page is whole without this script; it fills the same elements. Parts, in this
// order: words, pure rules, the server's clock, what is known, what is shown, the line seen from above, the network,
// joining and leaving. What concerns the order is in order.js. A module, so that the pure rules can be imported and tested;
// nothing is global.

import {Ordering, outcomeOf, standsAlone} from './order.js';

// Everything that is said and is not in the template, in one place.
const words = {
    locale: 'en-GB',
    minutes: n => `${n} ${n === 1 ? 'minute' : 'minutes'}`,
    hours: n => `${n} ${n === 1 ? 'hour' : 'hours'}`,
    waitUnknown: 'How long it will take cannot be said yet.',
    waitMoreThanDay: 'More than a day.',
    waitMoreThan: time => `More than ${time}.`,
    waitLessThanMinute: 'Less than a minute.',
    waitLessThan: time => `Less than ${time}.`,
    waitAbout: time => `About ${time}.`,
    range: (low, high) => `${low} to ${high}`,
    aheadOfYou: 'Ahead of you',
    next: 'You are next',
    people: n => n === 1 ? 'person' : 'people',
    titleAhead: n => `${n} ahead`,
    yourTurn: 'It is your turn',
    titleTurn: 'Your turn',
    youAreIn: 'You are in',
    titleBooked: 'Booked',
    titleHeld: 'Now pay',
    titlePaying: 'Paying',
    titleAsked: 'Your bank asks',
    peopleAre: (n, count) => `${count} ${n === 1 ? 'person is' : 'people are'}`,
    inLobby: people => people ? `${people} in the lobby now.` : 'Nobody is in the lobby yet.',
    inLine: people => people ? `${people} waiting now.` : 'Nobody is waiting now.',
    pace: {s: n => `${n} a second`, min: n => `${n} a minute`, h: n => `${n} an hour`},
    paceUpTo: pace => `up to ${pace}`,
    paceNobody: 'nobody at the moment',
    left: n => `${n} left`,
    noneLeft: 'None free',
    asked: n => `, ${n} asked for in the line`,
    dotIsOne: 'Each dot is one person.',
    dotIsMany: n => `Each dot stands for about ${n} people.`,
    anyMoment: 'Any moment now',
    days: n => `${n} ${n === 1 ? 'day' : 'days'}`,
    inTime: time => `in ${time}`,
    timeLeft: time => `${time} left`,
    lastMinute: 'Your turn ends in one minute.',
    reconnectingSafe: 'Reconnecting. Your place is safe.',
    reconnecting: 'Reconnecting. This page goes on by itself.',
    gone: 'This browser does not have your place any more. You can join the line.',
    joining: 'Joining…',
    joinBusy: 'The line cannot take you in at this moment. We keep trying; there is nothing for you to do.',
    joinMany: 'Many people are joining from where you are. We keep trying; there is nothing for you to do.',
    cookies: 'Your place is kept in a cookie of this site, and this browser refuses it. Allow it, then join.',
    leaveLater: 'Your place could not be given up just now. Please try again.',
    refused: 'That did not work. Please reload the page and try again.',
    heardAhead: (people, wait) => `${people} ahead of you. ${wait}`,
};

// ---- Pure rules -----------------------------------------------------------------------------------------------------

export const aheadOf = (place, served) => Math.max(0, place - served - 1);

// [low, high] in seconds until one's own place is let in: those ahead and oneself, as the server counts it in `line`.
export const waitOf = (ahead, perPlace) => perPlace ? perPlace.map(seconds => seconds * (ahead + 1)) : null;

export function minutesText(minutes) {
    const hours = Math.floor(minutes / 60), rest = minutes % 60;
    const parts = [];
    if (hours > 0) parts.push(words.hours(hours));
    if (hours === 0 || rest > 0) parts.push(words.minutes(rest));
    return parts.join(' ');
}

// The range [low, high] in seconds, rounded outwards. page_render.c says the same words.
export function waitText(range) {
    if (!range || !(range[0] <= range[1])) return words.waitUnknown;
    const isEndless = range[1] >= 48 * 3600;
    if (isEndless && range[0] < 3600) return words.waitUnknown;
    if (range[0] >= 24 * 3600) return words.waitMoreThanDay;
    let low = Math.floor(Math.floor(range[0]) / 60), high = Math.ceil(Math.floor(range[1]) / 60);
    if (isEndless || high > 120) {
        if (low >= 120) low = Math.floor(low / 15) * 15;
        high = Math.ceil(high / 15) * 15;
    }
    if (isEndless) return words.waitMoreThan(minutesText(low));
    if (high <= 1) return words.waitLessThanMinute;
    if (low === 0) return words.waitLessThan(minutesText(high));
    if (low >= high) return words.waitAbout(minutesText(high));
    return words.waitAbout(words.range(high < 60 ? low : minutesText(low), minutesText(high)));
}

// "600/min" as people say it; null when it is not to be shown.
export function paceText(pace) {
    const match = /^(auto:)?(\d+)\/(s|min|h)$/.exec(pace ?? '');
    if (!match) return pace === '0' ? words.paceNobody : null;
    const text = words.pace[match[3]](number(Number(match[2])));
    return match[1] ? words.paceUpTo(text) : text;
}

const isEnd = state => state === 'closed' || state === 'sold_out';

// Which panel the page shows; page_panel() in page_render.c is the same rule.
export function panelOf(eventState, line, isGate, order) {
    const ended = isEnd(eventState);
    const outcome = outcomeOf(order, line, eventState);
    if (standsAlone(outcome) || (ended && outcome)) return 'outcome';
    if (line === 'turn' && (!ended || isGate)) return 'turn';
    if (ended) return eventState;
    if (line) return line;
    return eventState === 'draft' || eventState === 'stopped' ? eventState : 'join';
}

// 5025 seconds as "1:23:45".
export function clockText(seconds) {
    const s = Math.max(0, Math.ceil(seconds));
    const two = n => String(n).padStart(2, '0');
    const hours = Math.floor(s / 3600), minutes = Math.floor(s / 60) % 60;
    return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

// How long to wait before the next try: doubling from 1.5 s to 30 s, spread over half to one and a half of that, so
// that a crowd that was cut off together does not come back together; never sooner than the server asked for.
export function retryDelay(attempt, retryAfterSeconds, random) {
    const own = Math.min(30000, 1500 * 2 ** Math.min(10, Math.max(0, attempt - 1))) * (0.5 + random);
    const asked = (retryAfterSeconds || 0) * 1000;
    return asked > 0 ? Math.max(own, asked * (1 + 0.25 * random)) : own;
}

// Reads server-sent events out of chunks of text. `onFrame(event, data)` gets the parsed JSON; a frame that is none
// is skipped.
export function frameReader(onFrame, onRetry) {
    let rest = '', event = '', data = [];
    const endFrame = () => {
        let value;
        try {
            value = data.length > 0 ? JSON.parse(data.join('\n')) : undefined;
        } catch {
            value = undefined;
        }
        if (value !== undefined) onFrame(event || 'message', value);
        event = '';
        data = [];
    };
    return chunk => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop();
        for (let line of lines) {
            if (line.endsWith('\r')) line = line.slice(0, -1);
            if (line === '') endFrame();
            const colon = line.indexOf(':');
            const field = colon < 0 ? line : line.slice(0, colon);
            const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
            if (field === 'event') event = value;
            else if (field === 'data') data.push(value);
            else if (field === 'retry' && /^\d+$/.test(value)) onRetry(Number(value));
        }
    };
}

const counts = new Intl.NumberFormat(words.locale);
const number = n => counts.format(n);

// ---- The server's clock ---------------------------------------------------------------------------------------------

// The visitor's own clock may be wrong by hours, so time is what the server last said plus what has passed since.
export class ServerClock {
    #offset = null;

    // What was said least late is the truest; a clock that was set back is believed when it differs by seconds.
    hear(text, monotonic = performance.now()) {
        const at = Date.parse(text);
        if (Number.isNaN(at)) return;
        const offset = at - monotonic;
        if (this.#offset === null || offset > this.#offset || offset < this.#offset - 5000) this.#offset = offset;
    }

    now(monotonic = performance.now()) {
        return this.#offset === null ? null : this.#offset + monotonic;
    }
}

// ---- What is known --------------------------------------------------------------------------------------------------

const $ = id => document.getElementById(id);
const all = selector => [...document.querySelectorAll(selector)];
const embedded = id => JSON.parse($(id).textContent);

const clock = new ServerClock();
const known = {
    event: embedded('event-document'), // the public document, kept up to date by frames
    mine: null,                        // my own state: {line, place?, seat?, ahead?, wait_seconds?, until?}
    ahead: null,                       // what was last shown for this place; it never grows
    wait: null,                        // [low, high] in seconds
    first: null,                       // how many were ahead when this browser first saw this place
    lost: false,                       // the network does not answer
    problem: $('problem').textContent || null,
    joining: false,
    goesOn: false,                     // the event goes on after its end, and where that leaves this visitor is not known yet
};
const lineUrl = `/v1/events/${known.event.slug}/line`;
const isGate = known.event.tiers.length === 0;
const isFollowing = () => Boolean(known.mine) &&
    (['lobby', 'waiting', 'turn'].includes(known.mine.line) || !ordering.isOver || known.goesOn);

function hearDocument(event) {
    clock.hear(event.now);
    if (event.served < known.event.served) event.served = known.event.served; // a cache may be a second behind
    // An event that goes on after its end has everybody back where they were. The stream says where that is, and that it goes on.
    known.goesOn = Boolean(known.mine) && isEnd(known.event.state) && !isEnd(event.state);
    if (known.goesOn) event.state = known.event.state;
    known.event = event;
}

function hearMine(mine) {
    clock.hear(mine.now);
    if (mine.place !== known.mine?.place) {
        known.ahead = null;
        known.first = null;
        if (known.mine?.place) ordering.forget();
    }
    known.mine = mine;
    if (mine.line !== 'waiting') return;
    known.wait = mine.wait_seconds ?? null;
    countAhead(mine.ahead ?? aheadOf(mine.place, known.event.served));
}

function countAhead(ahead) {
    known.ahead = known.ahead === null ? ahead : Math.min(known.ahead, ahead);
    if (known.first === null) known.first = rememberFirst(known.mine.place, known.ahead);
}

function hearServed({served, pace, seconds_per_place: perPlace}) {
    known.event.served = Math.max(known.event.served, served);
    if (pace !== undefined) known.event.pace = pace;
    known.event.seconds_per_place = perPlace ?? null;
    if (known.mine?.line !== 'waiting') return;
    countAhead(aheadOf(known.mine.place, known.event.served));
    known.wait = waitOf(known.ahead, perPlace);
}

const frames = {
    event: ({state, opens_at: opensAt = null}) => Object.assign(known.event, {state, opens_at: opensAt}),
    line: mine => {
        known.goesOn = false;
        ordering.settle();
        hearMine(mine);
    },
    served: hearServed,
    stock: ({tiers}) => known.event.tiers.forEach(tier => Object.assign(tier, tiers?.[tier.code])),
    notice: data => { known.event.notice = data; },
    order: order => ordering.hear(order),
};

// Where the way to the front began, for the picture only: a reload must not start it anew. Storage may be refused.
function rememberFirst(place, ahead) {
    const key = `onsale:${known.event.slug}`;
    try {
        const kept = JSON.parse(localStorage.getItem(key));
        if (kept?.place === place && kept.first >= ahead) return kept.first;
        localStorage.setItem(key, JSON.stringify({place, first: ahead}));
    } catch {
        // Then it starts anew with each load.
    }
    return ahead;
}

// ---- What is shown --------------------------------------------------------------------------------------------------

function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

function show(element, isShown) {
    if (element.hidden === isShown) element.hidden = !isShown;
}

// A time in the event's own time zone. null when the browser does not know the zone: then what the server wrote stays.
function timeText(text, withDate) {
    const at = Date.parse(text);
    if (Number.isNaN(at)) return null;
    const date = {weekday: 'long', day: 'numeric', month: 'long', year: 'numeric'};
    const time = {hour: '2-digit', minute: '2-digit', timeZoneName: 'short', timeZone: known.event.timezone};
    try {
        return new Intl.DateTimeFormat(words.locale, {...(withDate ? date : {}), ...time}).format(at);
    } catch {
        return null;
    }
}

function showTime(element, text, withDate) {
    if (!text || element.dateTime === text) return;
    element.dateTime = text;
    const shown = timeText(text, withDate);
    if (shown) setText(element, shown);
}

function render() {
    const {event, mine, problem, lost} = known;
    const panel = panelOf(event.state, mine?.line, isGate, ordering.order);
    const hasPlace = ['lobby', 'waiting', 'turn'].includes(panel);
    const isMoving = ['released', 'paying'].includes(ordering.outcome);
    if (document.documentElement.dataset.panel !== panel) changePanel(panel);
    document.title = titleText(panel);

    show($('problem'), Boolean(problem));
    setText($('problem'), problem ?? '');
    show($('still-paused'), event.state === 'paused' && panel === 'waiting');
    show($('still-stopped'), event.state === 'stopped' && (hasPlace || isMoving));
    show($('keep'), hasPlace);
    show($('keep-until'), panel !== 'turn' && ordering.order?.state !== 'placed');
    setText($('connection'), lost ? (hasPlace ? words.reconnectingSafe : words.reconnecting) : '');
    renderNotice(event.notice);
    renderTimes(event);
    renderTiers(event.tiers);
    for (const place of all('.place, .seat')) setText(place, number(mine?.place ?? mine?.seat ?? 0));
    for (const button of all('form.join button')) {
        button.dataset.words ??= button.textContent;
        setText(button, known.joining ? words.joining : button.dataset.words);
        button.setAttribute('aria-disabled', String(known.joining));
        show(button, event.state !== 'stopped');
    }
    if (panel === 'join') renderJoin(event);
    if (panel === 'waiting') renderWaiting(event);
    if (panel === 'turn') renderTurn(event);
    ordering.render(panel);
    tick();
}

function changePanel(panel) {
    const isMoving = Boolean(document.activeElement?.closest('.panel, .keep, .outcome, .order'));
    document.documentElement.dataset.panel = panel;
    for (const section of all('.panel')) show(section, section.dataset.panel === panel);
    $('leave').open = false;
    if (panel === 'outcome') return; // comes forward by itself
    const title = document.querySelector(`.panel[data-panel="${panel}"] h2`).textContent.trim();
    say(panel === 'turn' ? (isGate ? words.youAreIn : words.yourTurn) : title, panel === 'turn');
    // Who had the focus on what is gone now keeps it near, without the page scrolling.
    if (isMoving) $('now').focus({preventScroll: true});
}

function titleText(panel) {
    const {name} = known.event;
    if (panel === 'turn') return `${isGate ? words.youAreIn : words.titleTurn} · ${name}`;
    const titles = {held: words.titleHeld, paying: words.titlePaying, action_required: words.titleAsked, confirmed: words.titleBooked};
    if (panel === 'outcome' && titles[ordering.outcome]) return `${titles[ordering.outcome]} · ${name}`;
    if (panel !== 'waiting') return name;
    return `${known.ahead > 0 ? words.titleAhead(number(known.ahead)) : words.next} · ${name}`;
}

function renderNotice(notice) {
    show($('notice'), Boolean(notice?.text));
    setText($('notice-text'), notice?.text ?? '');
}

function renderTimes(event) {
    showTime($('starts'), event.starts_at, true);
    for (const opens of all('.opens')) showTime(opens, event.opens_at, true);
    for (const element of all('.when-opens, #draft-opens')) show(element, Boolean(event.opens_at));
    show($('draft-unknown'), !event.opens_at);
}

function renderTiers(tiers) {
    for (const tier of tiers) {
        const asked = tier.asked > 0 ? words.asked(number(tier.asked)) : '';
        const text = (tier.left > 0 ? words.left(number(tier.left)) : words.noneLeft) + asked;
        // In the price list and in the form. A tier added since comes with the next load.
        for (const item of all(`[data-tier="${tier.code}"]`)) {
            setText(item.querySelector('.left'), text);
            item.dataset.left = tier.left > 0 ? 'some' : 'none';
        }
        for (const bar of all(`.tier[data-tier="${tier.code}"] progress`)) bar.value = tier.left;
    }
}

function renderJoin(event) {
    const isLobby = event.state === 'lobby';
    show(document.querySelector('.only-lobby'), isLobby);
    show(document.querySelector('.only-line'), !isLobby);
    const waiting = Math.max(0, event.line - event.served);
    const people = waiting > 0 ? words.peopleAre(waiting, number(waiting)) : null;
    setText($('in-line'), (isLobby ? words.inLobby : words.inLine)(people));
}

function renderWaiting(event) {
    const {ahead} = known;
    const isStill = event.state === 'paused' || event.state === 'stopped';
    const wait = isStill ? '' : waitText(known.wait);
    setText($('ahead-before'), ahead > 0 ? words.aheadOfYou : words.next);
    $('ahead-before').classList.toggle('next', ahead === 0);
    show(document.querySelector('.ahead'), ahead > 0);
    document.querySelector('.ahead').classList.toggle('long', ahead >= 100000);
    setText($('ahead'), number(ahead));
    setText($('ahead-unit'), words.people(ahead));
    show($('wait'), ahead > 0 && !isStill);
    setText($('wait'), wait);
    const pace = isStill ? null : paceText(event.pace);
    show($('pace-fact'), pace !== null);
    setText($('pace'), pace ?? '');
    walk.update(ahead, known.first, Math.max(0, event.line - known.mine.place));
    say(ahead > 0 ? words.heardAhead(`${number(ahead)} ${words.people(ahead)}`, wait) : words.next);
}

function renderTurn(event) {
    const {until} = known.mine;
    const isStill = event.state === 'stopped';
    show($('turn-until'), Boolean(until) && !isStill);
    show($('turn-still'), isStill);
    showTime($('until'), until, false);
}

// What a screen reader hears: news at most every 20 seconds, the newest only; what is urgent at once.
const heard = {text: '', next: null, timer: null, at: -Infinity};
function say(text, isUrgent = false) {
    if (isUrgent) {
        heard.next = null;
        setText($('heard-now'), text);
        return;
    }
    heard.next = text;
    if (heard.timer !== null) return;
    heard.timer = setTimeout(() => {
        heard.timer = null;
        heard.at = performance.now();
        if (heard.next !== null && heard.next !== heard.text) setText($('heard'), heard.text = heard.next);
    }, Math.max(1000, heard.at + 20000 - performance.now()));
}

// The clocks on the page, once a second.
let turnEndAsked = null;
function tick() {
    ordering.tick();
    const now = clock.now();
    const panel = document.documentElement.dataset.panel;
    const opens = Date.parse(known.event.opens_at);
    for (const element of all('.countdown')) {
        const isShown = now !== null && !Number.isNaN(opens) && (panel === 'draft' || panel === 'lobby');
        show(element, isShown);
        if (isShown) setText(element, countdownText((opens - now) / 1000));
    }
    const until = Date.parse(known.mine?.until);
    const isRunning = panel === 'turn' && now !== null && !Number.isNaN(until) && known.event.state !== 'stopped';
    show($('turn-clock'), isRunning);
    if (!isRunning) return;
    const left = (until - now) / 1000;
    setText($('turn-clock'), words.timeLeft(clockText(left)));
    $('turn-clock').classList.toggle('last', left <= 60);
    if (left <= 60 && left > 55) say(words.lastMinute, true);
    // Whether the turn is over is for the server to say: it is asked, once for each end.
    if (left <= 0 && turnEndAsked !== known.mine.until) {
        turnEndAsked = known.mine.until;
        network.restart(500 + 2500 * Math.random());
    }
}

export function countdownText(seconds) {
    if (seconds <= 0) return words.anyMoment;
    return words.inTime(seconds >= 48 * 3600 ? words.days(Math.floor(seconds / 86400)) : clockText(seconds));
}

// ---- The line, seen from above --------------------------------------------------------------------------------------

// A rope maze with the door at its front: one dot for so many people, this visitor's own among them. A dot moves
// exactly as far as the line does; the way from the first sight of this place to the door is the whole maze or, in a
// short line, less.
const SPACING = 14; // pixels from dot to dot
class Walk {
    #canvas = $('walk');
    #context = this.#canvas.getContext('2d');
    #calm = matchMedia('(prefers-reduced-motion: reduce)');
    #dark = matchMedia('(prefers-color-scheme: dark)');
    #size = {width: 0, height: 0};
    #target = null;
    #shown = null;
    #first = 0;
    #behind = 0;
    #frame = null;
    #last = 0;

    constructor() {
        new ResizeObserver(() => this.#draw()).observe(this.#canvas);
        this.#dark.addEventListener('change', () => this.#draw());
    }

    update(ahead, first, behind) {
        show(this.#canvas.parentElement, first > 0);
        if (this.#first !== first || this.#shown === null) this.#shown = ahead;
        this.#first = Math.max(1, first);
        this.#target = ahead;
        this.#behind = behind;
        if (this.#calm.matches) this.#shown = ahead;
        if (this.#shown === ahead) this.#draw();
        else if (this.#frame === null) {
            this.#last = performance.now();
            this.#frame = requestAnimationFrame(time => this.#step(time));
        }
    }

    #step(time) {
        const seconds = Math.min(0.1, Math.max(0, (time - this.#last) / 1000));
        this.#last = time;
        this.#shown += (this.#target - this.#shown) * (1 - Math.exp(-seconds / 0.5));
        if (Math.abs(this.#target - this.#shown) < 0.01) this.#shown = this.#target;
        this.#draw();
        this.#frame = this.#shown === this.#target ? null : requestAnimationFrame(next => this.#step(next));
    }

    // A point of the path, `way` pixels from the door: lanes run to and fro, joined by half circles.
    #point(way) {
        const {left, right, top, lane} = this.#size;
        const straight = right - left, bend = Math.PI * lane / 2;
        const index = Math.floor(way / (straight + bend));
        const along = way - index * (straight + bend);
        const isLeftward = index % 2 === 0;
        const y = top + index * lane;
        if (along <= straight) return [isLeftward ? right - along : left + along, y];
        const angle = (along - straight) / bend * Math.PI;
        const x = Math.sin(angle) * lane / 2;
        return [isLeftward ? left - x : right + x, y + lane / 2 - Math.cos(angle) * lane / 2];
    }

    #measure() {
        // As many lanes as the line needs, and three at most.
        const lanes = Math.min(3, Math.ceil((this.#first + 4) * SPACING / Math.max(1, this.#canvas.clientWidth - 60)));
        this.#canvas.dataset.lanes = lanes;
        const {clientWidth: width, clientHeight: height} = this.#canvas;
        const ratio = Math.min(3, devicePixelRatio || 1);
        if (this.#canvas.width !== Math.round(width * ratio) || this.#canvas.height !== Math.round(height * ratio)) {
            this.#canvas.width = Math.round(width * ratio);
            this.#canvas.height = Math.round(height * ratio);
        }
        this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
        const lane = height / lanes, left = lane / 2 + 4, right = width - 34;
        const length = lanes * (right - left) + (lanes - 1) * Math.PI * lane / 2;
        this.#size = {width, height, lanes, lane, left, right, top: lane / 2, length, gap: 12, spacing: SPACING};
    }

    #draw() {
        this.#measure();
        const {width, height, length, gap, spacing} = this.#size;
        if (this.#target === null || width === 0) return;
        const style = getComputedStyle(this.#canvas);
        const colour = name => style.getPropertyValue(name).trim();
        const context = this.#context;
        context.clearRect(0, 0, width, height);
        this.#drawRopes(context, colour('--rope'), colour('--post'), colour('--accent'));

        const slots = Math.floor((length - gap) / spacing) - 3;
        const people = Math.max(1, this.#first / slots); // in one dot
        const scale = people < 1.5 ? words.dotIsOne : words.dotIsMany(number(Math.round(people)));
        setText($('walk-scale'), scale);
        const mine = gap + this.#shown / people * spacing;
        const dot = (way, index, fill, radius) => { // people do not stand on a ruler's edge
            const [x, y] = this.#point(way);
            const sway = index === 0 ? 0 : (Math.abs(Math.sin(index * 127.1) * 43758.5) % 1 - 0.5) * 4.4;
            context.globalAlpha = Math.min(1, Math.max(0, way / gap));
            context.fillStyle = fill;
            context.beginPath();
            context.arc(x, y + sway, radius, 0, 2 * Math.PI);
            context.fill();
        };
        for (let i = 1; mine - i * spacing > 0; i++) dot(mine - i * spacing, i, colour('--dot'), 4);
        const behind = Math.min(Math.ceil(this.#behind / people), Math.floor((length - mine) / spacing));
        for (let i = 1; i <= behind; i++) dot(mine + i * spacing, -i, colour('--dot-behind'), 4);
        dot(mine, 0, colour('--ticket'), 9.5);
        dot(mine, 0, colour('--accent'), 7);
        context.globalAlpha = 1;
    }

    #drawRopes(context, rope, post, door) {
        const {lanes, lane, left, right, top, width} = this.#size;
        context.lineWidth = 1.5;
        context.strokeStyle = rope;
        context.fillStyle = post;
        for (let i = 1; i < lanes; i++) {
            const y = top + (i - 0.5) * lane;
            const [from, to] = i % 2 === 1 ? [left + 2, width - 4] : [left - lane / 2, right - 2];
            const posts = Math.max(2, Math.round((to - from) / 120) + 1);
            context.beginPath();
            for (let j = 0; j < posts; j++) {
                const x = from + (to - from) * j / (posts - 1);
                // A rope hangs a little between its posts.
                if (j === 0) context.moveTo(x, y);
                else context.quadraticCurveTo(x - (to - from) / (posts - 1) / 2, y + 5, x, y);
            }
            context.stroke();
            for (let j = 0; j < posts; j++) {
                context.beginPath();
                context.arc(from + (to - from) * j / (posts - 1), y, 2.5, 0, 2 * Math.PI);
                context.fill();
            }
        }
        context.fillStyle = door;
        context.beginPath();
        context.roundRect(right + 10, top - 13, 18, 26, [9, 9, 2, 2]);
        context.fill();
    }
}

// ---- The network ----------------------------------------------------------------------------------------------------

const SILENCE_MS = 40000; // the stream has a comment every 15 s: this is two of them lost

class Failure extends Error {
    constructor(answer) {
        super(`status ${answer.status}`);
        this.status = answer.status;
        this.retryAfterSeconds = Number(answer.headers.get('Retry-After')) || 0;
    }
}

// One thing at a time: the stream of one's own line, or, without a place, a look at the event every few seconds. The
// stream is read by fetch and not by EventSource, which gives up for good on a 503, hides Retry-After, and hides the
// comments by which silence is told from a line that stands still.
class Network {
    #current = null;
    #timer = null;
    #attempt = 0;
    #heardAt = 0;
    #retryMs = 2000;
    #hiddenAt = null;

    start() {
        addEventListener('online', () => this.restart(1000 * Math.random()));
        addEventListener('offline', () => this.#setLost(true));
        addEventListener('pageshow', event => event.persisted && this.restart());
        addEventListener('pagehide', () => this.#stop());
        document.addEventListener('resume', () => this.restart());
        document.addEventListener('visibilitychange', () => this.#onVisibility());
        setInterval(() => this.#watch(), 5000);
        this.restart();
    }

    restart(delay = 0) {
        this.#stop();
        this.#timer = setTimeout(() => this.#run(), delay);
    }

    #stop() {
        clearTimeout(this.#timer);
        this.#timer = null;
        this.#current?.abort();
        this.#current = null;
    }

    // A phone that slept has a stream that is dead and does not know it, and a clock that stood still: ask anew.
    #onVisibility() {
        if (document.hidden) {
            this.#hiddenAt = performance.now();
            return;
        }
        const isLong = this.#hiddenAt !== null && performance.now() - this.#hiddenAt > 5000;
        if (isLong || performance.now() - this.#heardAt > 20000) this.restart();
    }

    #watch() {
        if (this.#current !== null && performance.now() - this.#heardAt > SILENCE_MS) {
            this.#setLost(true);
            this.restart();
        }
    }

    async #run() {
        const controller = this.#current = new AbortController();
        this.#heardAt = performance.now();
        let delay;
        try {
            delay = isFollowing() ? await this.#follow(controller.signal) : await this.#look(controller.signal);
        } catch (error) {
            if (controller !== this.#current) return;
            delay = retryDelay(++this.#attempt, error.retryAfterSeconds, Math.random());
            this.#setLost(true);
        }
        if (controller !== this.#current) return;
        this.#current = null;
        this.#timer = setTimeout(() => this.#run(), delay);
    }

    // Reads the stream to its end. Returns after how long to come back.
    async #follow(signal) {
        const answer = await fetch(lineUrl, {headers: {Accept: 'text/event-stream'}, cache: 'no-store', signal});
        if (answer.status === 401) {
            forgetPlace();
            return 0;
        }
        if (!answer.ok) throw new Failure(answer);
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        const onRetry = ms => { this.#retryMs = Math.min(ms, 30000); };
        const read = frameReader((event, data) => this.#onFrame(event, data), onRetry);
        for (;;) {
            const {done, value} = await reader.read();
            if (signal.aborted) return 0;
            if (done) return this.#retryMs * (0.5 + Math.random());
            this.#heardAt = performance.now();
            read(value);
            if (known.lost) this.#setLost(false);
            if (!isFollowing()) {
                reader.cancel().catch(() => {});
                return 1000;
            }
        }
    }

    #onFrame(event, data) {
        if (!Object.hasOwn(frames, event)) return;
        frames[event](data);
        this.#attempt = 0;
        render();
    }

    async #look(signal) {
        const answer = await fetch(`/v1/events/${known.event.slug}`, {signal});
        if (!answer.ok) throw new Failure(answer);
        hearDocument(await answer.json());
        this.#heardAt = performance.now();
        this.#attempt = 0;
        this.#setLost(false);
        return known.goesOn ? 3000 * Math.random() : lookDelay(known.event, clock.now(), document.hidden, Math.random());
    }

    #setLost(isLost) {
        known.lost = isLost;
        render();
    }
}

// How long until the next look at the event: seconds while something may happen, longer when it will not for a while.
export function lookDelay(event, now, isHidden, random) {
    const opensIn = Date.parse(event.opens_at) - now;
    const isFar = event.state === 'draft' ? !(opensIn < 120000) : ['closed', 'sold_out'].includes(event.state);
    const delay = (isFar || isHidden ? 15000 : 4000) * (0.75 + 0.5 * random);
    // At the opening time everybody looks within three seconds, but not in the same one.
    return opensIn > 0 && opensIn < delay ? opensIn + 3000 * random : delay;
}

// ---- Joining and leaving --------------------------------------------------------------------------------------------

let joinAttempt = 0;

async function join(again) {
    let answer = null;
    try {
        const body = again ? {body: '{"again":true}', headers: {'Content-Type': 'application/json'}} : {};
        answer = await fetch(lineUrl, {method: 'POST', ...body});
    } catch {
        // No answer is treated like a busy line: tried again below.
    }
    if (answer?.ok) {
        if (answer.status === 201) ordering.forget();
        hearMine(await answer.json());
        endJoining(null);
        others?.postMessage('joined');
        return network.restart();
    }
    const isBusy = answer === null || [429, 502, 503, 504].includes(answer.status);
    if (!isBusy) return joinRefused(answer);
    known.problem = answer?.status === 429 ? words.joinMany : words.joinBusy;
    render();
    const retryAfter = Number(answer?.headers.get('Retry-After')) || 0;
    setTimeout(() => known.joining && join(again), retryDelay(++joinAttempt, retryAfter, Math.random()));
}

// 401: there was a token that is worth nothing; the answer has removed it. 409: not open yet. 410: sold out or
// closed, which the event's own document says better than the refusal.
async function joinRefused(answer) {
    const problem = await answer.json().catch(() => ({}));
    const silent = [409, 410].includes(answer.status);
    endJoining(answer.status === 401 ? words.gone : silent ? null : problem.detail ?? words.refused);
    network.restart(1000); // the document may be a second old
}

function endJoining(problem) {
    known.joining = false;
    known.problem = problem;
    joinAttempt = 0;
    render();
}

function onJoin(submit) {
    submit.preventDefault();
    if (known.joining) return;
    if (!navigator.cookieEnabled) return endJoining(words.cookies);
    known.joining = true;
    known.problem = null;
    render();
    join(submit.target.classList.contains('again'));
}

async function onLeave(submit) {
    submit.preventDefault();
    let answer = null;
    try {
        answer = await fetch(lineUrl, {method: 'DELETE'});
    } catch {
        // Said below.
    }
    if (answer?.ok) {
        hearMine({line: 'left'});
        known.problem = null;
        others?.postMessage('left');
        network.restart();
    } else if (answer?.status === 401) {
        forgetPlace();
        network.restart();
    } else {
        known.problem = words.leaveLater;
    }
    render();
}

function forgetPlace() {
    known.mine = null;
    known.ahead = null;
    known.problem = words.gone;
    render();
}

// ---- Start ----------------------------------------------------------------------------------------------------------

const walk = new Walk();
const network = new Network();
const ordering = new Ordering({
    known, clock, say, render, retryDelay, forgetPlace, clockText, showTime,
    restart: () => network.restart(),
    tell: problem => { known.problem = problem; },
}, embedded('order-document'));
// Other tabs of the same event share the cookie: what is done here they must ask for anew.
const others = 'BroadcastChannel' in window ? new BroadcastChannel(`onsale:${known.event.slug}`) : null;

hearDocument(known.event);
const mineAtLoad = embedded('line-document');
if (mineAtLoad) hearMine(mineAtLoad);
for (const form of all('form.join')) form.addEventListener('submit', onJoin);
document.querySelector('#leave form').addEventListener('submit', onLeave);
others?.addEventListener('message', () => location.reload());
setInterval(tick, 1000);
render();
network.start();
