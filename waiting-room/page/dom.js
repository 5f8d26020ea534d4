// SPDX-License-Identifier: Apache-2.0
// What all parts of the page do with its elements. An element is touched only when something changes: what is touched is read out again
// by screen readers and laid out again by browsers.

export const $ = id => document.getElementById(id);
export const all = selector => [...document.querySelectorAll(selector)];

export function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

export function show(element, isShown) {
    if (element.hidden === isShown) element.hidden = !isShown;
}
