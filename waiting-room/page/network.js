// SPDX-License-Identifier: Apache-2.0
// How the page hears: the stream of one's own line, or a look at the event now and then, and what it does when there is no answer. It
// knows nothing of what is heard. onsale.js makes one Network.

// ---- Pure rules -----------------------------------------------------------------------------------------------------

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

// How long until the next look at the event: seconds while something may happen, longer when it will not for a while.
export function lookDelay(event, now, isHidden, random) {
    const opensIn = Date.parse(event.opens_at) - now;
    const isFar = event.state === 'draft' ? !(opensIn < 120000) : ['closed', 'sold_out'].includes(event.state);
    const delay = (isFar || isHidden ? 15000 : 4000) * (0.75 + 0.5 * random);
    // At the opening time everybody looks within three seconds, but not in the same one.
    return opensIn > 0 && opensIn < delay ? opensIn + 3000 * random : delay;
}

// ---- The stream and the looks ---------------------------------------------------------------------------------------

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
// `page` is what onsale.js lends: eventUrl, isFollowing() (there is a line to hear of), hear(event, data) for a frame (false: of no kind
// that is known), hearDocument(event), which returns after how many ms to look again, forgetPlace(), setLost(isLost).
export class Network {
    #page;
    #current = null;
    #timer = null;
    #attempt = 0;
    #heardAt = 0;
    #retryMs = 2000;
    #hiddenAt = null;

    constructor(page) {
        this.#page = page;
    }

    start() {
        addEventListener('online', () => this.restart(1000 * Math.random()));
        addEventListener('offline', () => this.#page.setLost(true));
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
            this.#page.setLost(true);
            this.restart();
        }
    }

    async #run() {
        const controller = this.#current = new AbortController();
        this.#heardAt = performance.now();
        let delay;
        try {
            delay = this.#page.isFollowing() ? await this.#follow(controller.signal) : await this.#look(controller.signal);
        } catch (error) {
            if (controller !== this.#current) return;
            delay = retryDelay(++this.#attempt, error.retryAfterSeconds, Math.random());
            this.#page.setLost(true);
        }
        if (controller !== this.#current) return;
        this.#current = null;
        this.#timer = setTimeout(() => this.#run(), delay);
    }

    // Reads the stream to its end. Returns after how long to come back.
    async #follow(signal) {
        const answer = await fetch(`${this.#page.eventUrl}/line`, {headers: {Accept: 'text/event-stream'}, cache: 'no-store', signal});
        if (answer.status === 401) {
            this.#page.forgetPlace();
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
            this.#page.setLost(false);
            if (!this.#page.isFollowing()) {
                reader.cancel().catch(() => {});
                return 1000;
            }
        }
    }

    #onFrame(event, data) {
        if (this.#page.hear(event, data)) this.#attempt = 0;
    }

    async #look(signal) {
        const answer = await fetch(this.#page.eventUrl, {signal});
        if (!answer.ok) throw new Failure(answer);
        const delay = this.#page.hearDocument(await answer.json());
        this.#heardAt = performance.now();
        this.#attempt = 0;
        this.#page.setLost(false);
        return delay;
    }
}
