// SPDX-License-Identifier: Apache-2.0
// Keeps the event's page up to date. The page is whole without this script; it fills the same elements. Parts, in this
// order: words, pure rules, the server's clock, what is known, what is shown, joining and leaving. The order is in order.js, the stream
// in network.js, the picture of the line in walk.js. A module, so that the pure rules can be imported and tested; nothing is global.

import {$, all, setText, show} from './dom.js';
import {lookDelay, Network, retryDelay} from './network.js';
import {Ordering, outcomeOf, standsAlone} from './order.js';
import {Walk} from './walk.js';

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
const eventUrl = `/v1/events/${known.event.slug}`;
const lineUrl = `${eventUrl}/line`;
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

// Returns after how many ms to look again.
function hearLook(event) {
    hearDocument(event);
    render();
    return known.goesOn ? 3000 * Math.random() : lookDelay(known.event, clock.now(), document.hidden, Math.random());
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

// False: of no kind that is known.
function hearFrame(event, data) {
    if (!Object.hasOwn(frames, event)) return false;
    frames[event](data);
    render();
    return true;
}

function setLost(isLost) {
    if (known.lost === isLost) return;
    known.lost = isLost;
    render();
}

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
const network = new Network({eventUrl, isFollowing, hear: hearFrame, hearDocument: hearLook, forgetPlace, setLost});
const ordering = new Ordering({
    known, clock, say, render, forgetPlace, clockText, showTime,
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
