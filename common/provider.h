// SPDX-License-Identifier: Apache-2.0
// The payment provider: what can be asked of it and what it may answer, in our words, whoever it is. Calls run side by side without a
// thread each; every answer is bounded and validated before it is told. A struct provider belongs to one thread.
//
// What matters is that a caller can tell four things apart: it was done; it was refused for good; it was certainly not done and may be tried
// again as it is; nobody knows (PROVIDER_UNKNOWN), which is neither, and has to be asked about.
#ifndef COMMON_PROVIDER_H
#define COMMON_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/config.h"
#include "common/error.h"
#include "common/order_state.h"
#include "common/payment.h"
#include "common/slug.h"

#define PROVIDER_ID_BYTES 256 // of anything that the provider has named, with NUL
#define PROVIDER_URL_BYTES 2001 // with NUL
#define PROVIDER_CODE_BYTES 65 // with NUL
#define PROVIDER_KEY_BYTES 65 // of an idempotency key, with NUL
#define PROVIDER_LABEL_BYTES 41
#define PROVIDER_DETAIL_BYTES 200
// Intents in one page. Stripe gives up to 100, but with their charges these could come near to the 1 MiB that an answer may have.
#define PROVIDER_LIST_MAX 50
#define PROVIDER_IN_FLIGHT_MAX 1024

struct provider;

// Reads the key's file. Connects to nothing yet. ERROR_INVALID (base_url, key) or ERROR_PERMANENT (a file that cannot be read, or that
// others can read) with the reason in `problem`; ERROR_MEMORY. `config` must outlive it.
int provider_open(const struct common_config *config, struct provider **ret, char *problem,
                  size_t problem_bytes) MUST_USE;
// For a program's check of its configuration: whether provider_open() would work and visitors could come back. Appends a line for each problem;
// 0 or ERROR_INVALID. With nobody to ask nothing is looked at.
int provider_check(const struct common_config *config, struct buffer *problems) MUST_USE;
// Calls that are under way are given up; their contexts are not called any more.
void provider_close(struct provider *provider); // accepts NULL

enum provider_call {
    PROVIDER_CREATE, // an intent, not confirmed: nothing is charged by it
    PROVIDER_CONFIRM, // authorises it, as far as the bank goes along
    PROVIDER_ASK, // what has become of an intent; changes nothing
    PROVIDER_CAPTURE, // the whole of what is authorised
    PROVIDER_CANCEL, // before the capture: lets it go
    PROVIDER_REFUND, // after the capture: the whole of it
    PROVIDER_CARD_PAGE, // a hosted page on which the visitor leaves a card
    PROVIDER_CARD_ASK, // what has become of it
    PROVIDER_LIST, // intents that were created since a time, newest first
    PROVIDER_CALL_COUNT,
};
const char *provider_call_name(enum provider_call call); // "confirm"

// Strings are borrowed until provider_begin() returns.
struct provider_request {
    enum provider_call call;
    const char *idempotency_key; // of what changes something; with the same key it is done once
    const char *intent; // of all but CREATE, CARD_PAGE, CARD_ASK, LIST
    const char *session; // CARD_ASK
    // CREATE; of CARD_PAGE the currency, slug, place and number (of the card) alone.
    uint64_t amount;
    const char *currency; // ISO 4217, as the event has it
    const char *payment_method, *customer; // customer NULL: none
    const char *slug, *reference;
    uint64_t place;
    uint32_t attempt, number;
    const char *return_url; // CONFIRM, CARD_PAGE: whole, with /e/SLUG
    // LIST
    int64_t created_since; // seconds since 1970
    const char *after; // the last intent of the page before; NULL: the first page
};

enum provider_result {
    PROVIDER_DONE, // the answer says what is
    PROVIDER_DECLINED, // of CREATE, CONFIRM: the bank, or the provider for it, said no: nothing was charged. `reason`, `code`
    PROVIDER_REFUSED, // what was asked for cannot be, now and later: no such intent or method, not in this state. `code`
    PROVIDER_BUSY, // certainly not done: too many calls, the same key is under way. Again later, with the same key
    PROVIDER_DENIED, // certainly not done: our key is not accepted. An operator has to act; again later
    PROVIDER_UNKNOWN, // nobody knows: no answer, one that was cut off, that is no answer, an error of the provider's own
};
const char *provider_result_name(enum provider_result result); // "unknown"

enum provider_status {
    PROVIDER_UNCONFIRMED, // nobody has confirmed it
    PROVIDER_FAILED, // it was confirmed, and the bank said no; `reason` says why
    PROVIDER_ACTION_REQUIRED, // the bank asks; action_url ("": it is no page to go to)
    PROVIDER_PROCESSING, // not decided yet
    PROVIDER_AUTHORISED,
    PROVIDER_CAPTURED,
    PROVIDER_CANCELLED,
};
const char *provider_status_name(enum provider_status status); // "authorised"

struct provider_intent {
    char id[PROVIDER_ID_BYTES];
    enum provider_status status;
    uint64_t amount, captured_amount;
    // Known of ASK, REFUND and LIST only: what has gone back, and what is on its way there (pending at its bank, which may take days and fail).
    uint64_t refunded_amount, refunding_amount;
    bool has_failed_refund; // one was begun and failed, or was cancelled: that money is the seller's again
    char refund_code[PROVIDER_CODE_BYTES]; // of the newest that failed: the provider's word for why; "": none
    char refund[PROVIDER_ID_BYTES]; // of ASK: the newest that has gone back or waits; "": none
    char currency[4]; // in capitals
    char action_url[PROVIDER_URL_BYTES]; // of ACTION_REQUIRED
    enum order_reason reason; // of FAILED
    char code[PROVIDER_CODE_BYTES]; // the provider's word for it; "": none
    // What CREATE said about whose it is; slug "": it is not one of ours.
    char slug[SLUG_BYTES];
    uint64_t place;
    uint32_t attempt, number;
    int64_t created_at; // seconds since 1970
};

enum provider_card_state {
    PROVIDER_CARD_OPEN,
    PROVIDER_CARD_KEPT,
    PROVIDER_CARD_GONE, // the page has expired
};

struct provider_answer {
    enum provider_call call;
    enum provider_result result;
    int http_status; // 0: there was no answer
    char code[PROVIDER_CODE_BYTES]; // the provider's word for an error; "": none
    char param[PROVIDER_CODE_BYTES]; // of REFUSED: its name for what is wrong with the request; "": it named nothing
    char detail[PROVIDER_DETAIL_BYTES]; // for the log; never holds a key, a card or an e-mail
    enum order_reason reason; // of DECLINED
    int64_t retry_after_ms; // of BUSY: what the provider asked for; 0: nothing
    bool
        is_key_spent; // of an error: with this idempotency key the provider will say the same for ever; take another next time
    bool is_replayed; // the provider says that it answered this key before
    // Of DONE by CREATE … REFUND, and of DECLINED or REFUSED where the provider sent it along: id "" if it did not.
    struct provider_intent intent;
    // REFUND: its id. One that waits for its bank is DONE as well, a failed one REFUSED. Of the intent there are id, status and currency then; amount
    // and captured_amount are this refund's, and so is refunded_amount (it has gone back) or refunding_amount (it waits), or neither (it failed).
    char refund[PROVIDER_ID_BYTES];
    // CARD_PAGE: session, url. CARD_ASK: all.
    struct {
        char session[PROVIDER_ID_BYTES], url[PROVIDER_URL_BYTES], customer[PROVIDER_ID_BYTES],
            payment_method[PROVIDER_ID_BYTES];
        char label[PROVIDER_LABEL_BYTES]; // "visa 4242"
        enum provider_card_state state;
    } card;
    // LIST. Of an intent that is not ours (slug "") only id and created_at are sure.
    size_t intent_count;
    const struct provider_intent *intents; // good until the callback returns
    bool has_more;
};

typedef void provider_answered(void *context, const struct provider_answer *answer);

// Starts a call; `answered` is called from provider_work(), once, sooner or later than the configured time-out but always. ERROR_MEMORY, ERROR_LIMIT (PROVIDER_IN_FLIGHT_MAX
// are under way), ERROR_INVALID (something in the request cannot be said: it never can): it was not begun.
int provider_begin(struct provider *provider, const struct provider_request *request, provider_answered *answered,
                   void *context) MUST_USE;
size_t provider_in_flight(const struct provider *provider);
// Lets the calls go on, and calls `answered` for those that are through; waits up to timeout_ms for something to happen. `fd` (-1: none) ends
// the wait as well when it can be read.
void provider_work(struct provider *provider, int timeout_ms, int fd);
// Ends a wait. Any thread.
void provider_wake(struct provider *provider);

// One call from begin to end, for who has nothing else to do. The intents of a LIST are good until the next call.
int provider_call(struct provider *provider, const struct provider_request *request,
                  struct provider_answer *ret) MUST_USE;

#endif
