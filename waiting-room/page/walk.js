// SPDX-License-Identifier: Apache-2.0
// The line, seen from above. Only a picture: what it shows is said in words beside it.

import {$, setText, show} from './dom.js';

const words = {
    locale: 'en-GB',
    dotIsOne: 'Each dot is one person.',
    dotIsMany: n => `Each dot stands for about ${new Intl.NumberFormat(words.locale).format(n)} people.`,
};

const SPACING = 14; // pixels from dot to dot

// A rope maze with the door at its front: one dot for so many people, this visitor's own among them. A dot moves
// exactly as far as the line does; the way from the first sight of this place to the door is the whole maze or, in a
// short line, less.
export class Walk {
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
        const scale = people < 1.5 ? words.dotIsOne : words.dotIsMany(Math.round(people));
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
