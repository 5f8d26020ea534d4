// SPDX-License-Identifier: Apache-2.0
// The ticket's page is whole without this: it prints, and tells the time in the event's own time zone.

const starts = document.getElementById('starts');
const at = Date.parse(starts.dateTime);

if (!Number.isNaN(at)) {
    const date = {weekday: 'long', day: 'numeric', month: 'long', year: 'numeric'};
    const time = {hour: '2-digit', minute: '2-digit', timeZoneName: 'short', timeZone: document.documentElement.dataset.timezone};
    try {
        starts.textContent = new Intl.DateTimeFormat('en-GB', {...date, ...time}).format(at);
    } catch {
        // A time zone that this browser does not know: what the server wrote stays.
    }
}
document.getElementById('print').addEventListener('click', () => print());
