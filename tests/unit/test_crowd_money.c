// links: bench/crowd
// SPDX-License-Identifier: Apache-2.0
// A crowd that pays by card: what its checker says of what the bank does, and of its ledger; what visitors do with the cards in their purses.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bench/crowd/hold.h"
#include "bench/crowd/menu.h"
#include "bench/crowd/roles.h"
#include "tests/unit/crowd_record.h"

// Holds last five seconds, and everything is paid for by card.
#define BEGIN_CARDS                                                                                            \
    "{\"at_us\":0,\"visitor\":0,\"kind\":\"begin\",\"data\":{\"visitors\":4,\"faults\":false,\"patience\":10," \
    "\"event\":\"gala\",\"began\":\"2031-01-01T00:00:00.000000Z\",\"desk\":false,\"cards\":true,\"hold\":5}}"
#define PAID_WITH(card) ",\"payment_method\":\"" card "\""
#define PUTS_CARD(at, visitor, choices, card) \
    LINE(at, visitor, "order_asked", "\"method\":\"PUT\",\"choices\":[" choices "]" PAID_WITH(card))
#define GIVES(at, visitor, card) LINE(at, visitor, "order_asked", "\"method\":\"PAY\"" PAID_WITH(card))
#define ACCEPTED(at, visitor, revision) ANSWER(at, visitor, "PAY", 202, MONEY("paying", revision, ""))
#define SAYS(at, visitor, answer) LINE(at, visitor, "answers", "\"answer\":\"" answer "\"")
// Two tickets for 9000 of place 7, as they are told from the hold on.
#define MONEY(state, revision, more) DOCUMENT(state, 1, revision, 2, 9000) ",\"reference\":\"K7QM-4WDP\"" more
#define HOLDS(at, visitor, revision) HEARS(at, visitor, MONEY("held", revision, PAY_UNTIL("06")))
#define PAYING(at, visitor, revision) HEARS(at, visitor, MONEY("paying", revision, ""))
#define DECLINED(at, visitor, revision) \
    HEARS(at, visitor, MONEY("declined", revision, ",\"reason\":\"card_declined\"" PAY_UNTIL("06")))
#define ASKED(at, visitor, revision) \
    HEARS(at, visitor,               \
          MONEY("action_required", revision, ",\"action_url\":\"http://127.0.0.1:1/challenge/x\"" PAY_UNTIL("06")))
#define BOUGHT(at, visitor, revision) HEARS(at, visitor, MONEY("confirmed", revision, ""))
// Visitor 1 has ordered, is let in, and holds two places from the first second on.
#define ORDERED BEGIN_CARDS, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3)
#define HOLDING ORDERED, HOLDS(1000000, 1, 3)

#define VISA "pm_card_visa"
#define BAD "pm_card_chargeDeclined"
#define CHALLENGE "pm_sandbox_challenge"

static void test_paying(void **state)
{
    (void)state;
    const char *const lines[] = {HOLDING,
                                 GIVES(2000000, 1, BAD),
                                 ACCEPTED(2000000, 1, 4),
                                 DECLINED(2100000, 1, 5),
                                 GIVES(3000000, 1, CHALLENGE),
                                 ACCEPTED(3000000, 1, 6),
                                 ASKED(3100000, 1, 7),
                                 SAYS(3200000, 1, "yes"),
                                 PAYING(3300000, 1, 8),
                                 BOUGHT(3400000, 1, 9),
                                 END(4000000)};
    struct check_counts counts;
    assert_int_equal(broken_by(lines, sizeof lines / sizeof *lines, &counts), CHECK_RULE_COUNT);
    assert_int_equal(counts.cards, 2);
    assert_int_equal(counts.declined, 1);
    assert_int_equal(counts.challenged, 1);
    assert_int_equal(counts.owed, 9000);
    // With the order; and the visitor hears of nothing between.
    assert_sound(BEGIN_CARDS, JOIN(1, 1, 7, 2), PUTS_CARD(2, 1, CHOICE(2, 9000), VISA),
                 ANSWER(2, 1, "PUT", 202, DOCUMENT("placed", 1, 1, 2, 9000)), LET_IN(3), PAYING(4, 1, 3),
                 BOUGHT(5, 1, 4), END(6));
    // A bank that is slow, silent or broken pays in the end.
    assert_sound(HOLDING, GIVES(2000000, 1, "pm_sandbox_timeout"), ACCEPTED(2000000, 1, 4), BOUGHT(12000000, 1, 5),
                 END(13000000));
    // The bank said no after the hold's end, and the news crossed with those of who has the seats next.
    assert_sound(BEGIN_CARDS, JOIN(1, 1, 7, 2), JOIN(1, 2, 8, 3), ORDERS(2, 1), ORDERS(2, 2), LET_IN(3), TURN(3, 2, 8),
                 SERVED(3, 2, 8), HEARS(1000000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), GIVES(5000000, 1, CHALLENGE),
                 ANSWER(5000000, 1, "PAY", 202, SEATED("paying", 1, 4, 9000, "\"A-1\",\"A-2\"")),
                 HEARS(6500000, 2, OTHER("held", 3, "\"A-1\",\"A-2\"") PAY_UNTIL("11")),
                 HEARS(6600000, 1, SEATED("expired", 1, 6, 9000, "\"A-1\",\"A-2\"")), END(7000000));
}

static void test_what_the_bank_says(void **state)
{
    (void)state;
    // Confirmed for nothing: no card, one that the bank declines, one that came too late, a question that was not answered with yes.
    assert_breaks(CHECK_NOT_PAID, HOLDING, BOUGHT(2000000, 1, 5), END(3000000));
    assert_breaks(CHECK_NOT_PAID, HOLDING, GIVES(2000000, 1, BAD), ACCEPTED(2000000, 1, 4), BOUGHT(2100000, 1, 5),
                  END(3000000));
    assert_breaks(CHECK_NOT_PAID, HOLDING, GIVES(6002000, 1, VISA), ACCEPTED(6003000, 1, 4), BOUGHT(6100000, 1, 5),
                  END(7000000));
    assert_sound(HOLDING, GIVES(5999000, 1, VISA), ACCEPTED(6003000, 1, 4), BOUGHT(6100000, 1, 5), END(7000000));
    assert_breaks(CHECK_NOT_PAID, HOLDING, GIVES(2000000, 1, CHALLENGE), ACCEPTED(2000000, 1, 4), ASKED(2100000, 1, 5),
                  BOUGHT(2200000, 1, 7), END(3000000));
    assert_breaks(CHECK_NOT_PAID, HOLDING, GIVES(2000000, 1, CHALLENGE), ACCEPTED(2000000, 1, 4), ASKED(2100000, 1, 5),
                  SAYS(2200000, 1, "no"), BOUGHT(2300000, 1, 7), END(3000000));
    // What an earlier attempt was paid with is not this one's.
    assert_breaks(CHECK_NOT_PAID, HOLDING, GIVES(2000000, 1, VISA), REFUSED(2000000, 1, "PAY", 409),
                  HEARS(6100000, 1, NOTHING("expired", 1, 4)), PUTS(6200000, 1, CHOICE(2, 9000)),
                  ANSWER(6300000, 1, "PUT", 202, DOCUMENT("placed", 2, 1, 2, 9000)),
                  HEARS(6400000, 1, DOCUMENT("confirmed", 2, 3, 2, 9000) ",\"reference\":\"K7QM-4WDP\""), END(7000000));
    // Declined without a reason; though no card was given; though the card is good.
    assert_breaks(CHECK_DECLINED_WRONG, HOLDING, GIVES(2000000, 1, BAD), ACCEPTED(2000000, 1, 4),
                  HEARS(2100000, 1, MONEY("declined", 5, PAY_UNTIL("06"))), END(3000000));
    assert_breaks(CHECK_DECLINED_WRONG, HOLDING, DECLINED(2000000, 1, 5), END(3000000));
    assert_breaks(CHECK_DECLINED_WRONG, HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4),
                  DECLINED(2100000, 1, 5), END(3000000));
    // A question that cannot be answered; about a card that the bank knows; and an address where nothing is asked.
    assert_breaks(CHECK_CHALLENGE_WRONG, HOLDING, GIVES(2000000, 1, CHALLENGE), ACCEPTED(2000000, 1, 4),
                  HEARS(2100000, 1, MONEY("action_required", 5, PAY_UNTIL("06"))), END(3000000));
    assert_breaks(CHECK_CHALLENGE_WRONG, HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4),
                  ASKED(2100000, 1, 5), END(3000000));
    assert_breaks(CHECK_CHALLENGE_WRONG, HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4),
                  HEARS(2100000, 1, MONEY("paying", 5, ",\"action_url\":\"http://127.0.0.1:1/challenge/x\"")),
                  END(3000000));
}

static void test_the_way_through_the_states(void **state)
{
    (void)state;
    // A hold does not run out under a payment, a payment has an end, and a revision says one thing.
    assert_breaks(CHECK_HOLD_WRONG, HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4),
                  HEARS(2100000, 1, MONEY("paying", 5, PAY_UNTIL("06"))), END(3000000));
    assert_breaks(CHECK_HOLD_WRONG, HOLDING, GIVES(2000000, 1, BAD), ACCEPTED(2000000, 1, 4),
                  HEARS(2100000, 1, MONEY("declined", 5, ",\"reason\":\"card_declined\"" PAY_UNTIL("05"))),
                  END(3000000));
    assert_breaks(CHECK_STATE_WRONG, HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4), HOLDS(2100000, 1, 5),
                  END(3000000));
    assert_breaks(CHECK_ORDER_BACK, HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4), BOUGHT(2100000, 1, 4),
                  END(3000000));
    assert_breaks(CHECK_FINAL_CHANGED, HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4), BOUGHT(2100000, 1, 5),
                  HEARS(2200000, 1, NOTHING("expired", 1, 6)), END(3000000));
    assert_breaks(CHECK_NO_OUTCOME, HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4), END(12100000));
    assert_sound(HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4), END(11900000));
    assert_breaks(CHECK_NO_OUTCOME, HOLDING, GIVES(2000000, 1, CHALLENGE), ACCEPTED(2000000, 1, 4),
                  ASKED(2100000, 1, 5), END(16100000));
}

#define INTENT_OF(slug, id, status, place, attempt, amount, captured, refunded, currency)                           \
    "{\"id\":\"" id "\",\"status\":\"" status "\",\"amount\":" #amount ",\"authorised\":" #amount                   \
    ",\"captured\":" #captured ",\"refunded\":" #refunded ",\"voided\":0,\"currency\":\"" currency                  \
    "\",\"metadata\":{\"onsale_event\":\"" slug "\",\"onsale_place\":\"" #place "\",\"onsale_attempt\":\"" #attempt \
    "\"}}"
#define INTENT(id, status, place, attempt, amount, captured, refunded) \
    INTENT_OF("gala", id, status, place, attempt, amount, captured, refunded, "EUR")
#define LEDGER(intents) "{\"intents\":[" intents "],\"totals\":{}}"
#define PAID INTENT("pi_1", "succeeded", 7, 1, 9000, 9000, 0)

// Place 7 was told that it is confirmed, for 9000.
#define TOLD_CONFIRMED HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4), BOUGHT(2100000, 1, 5), END(3000000)
// Place 7 was told that its hold ran out.
#define TOLD_EXPIRED HOLDING, HEARS(6100000, 1, NOTHING("expired", 1, 4)), END(7000000)
// Nobody told place 7 what became of the payment when the record ended.
#define TOLD_PAYING HOLDING, GIVES(2000000, 1, VISA), ACCEPTED(2000000, 1, 4), END(3000000)

#define MONEY_BROKEN_BY(ledger, ...)                        \
    broken_with(ledger, (const char *const[]){__VA_ARGS__}, \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), NULL)
#define assert_money_sound(ledger, ...) assert_int_equal(MONEY_BROKEN_BY(LEDGER(ledger), __VA_ARGS__), CHECK_RULE_COUNT)
#define assert_money_breaks(rule, ledger, ...) assert_int_equal(MONEY_BROKEN_BY(LEDGER(ledger), __VA_ARGS__), rule)

static void test_the_ledger_agrees(void **state)
{
    (void)state;
    assert_money_sound(PAID, TOLD_CONFIRMED);
    // What was declined, let go or given back before is nobody's loss; another event's money is none of ours.
    assert_money_sound(PAID "," INTENT("pi_2", "requires_payment_method", 7, 1, 9000, 0,
                                       0) "," INTENT("pi_3", "canceled", 7, 1, 9000, 0,
                                                     0) "," INTENT("pi_4", "succeeded", 7, 1, 9000, 9000, 9000),
                       TOLD_CONFIRMED);
    assert_money_sound(PAID "," INTENT_OF("ball", "pi_2", "succeeded", 9, 1, 500, 500, 0, "EUR"), TOLD_CONFIRMED);
    assert_money_sound("", TOLD_EXPIRED);
    assert_money_sound(INTENT("pi_1", "succeeded", 7, 1, 9000, 9000, 9000), TOLD_EXPIRED);
    // Who heard no end may have paid, or not.
    assert_money_sound(PAID, TOLD_PAYING);
    assert_money_sound("", TOLD_PAYING);
}

static void test_the_ledger_disagrees(void **state)
{
    (void)state;
    assert_money_breaks(CHECK_MONEY_MISSING, "", TOLD_CONFIRMED);
    assert_money_breaks(CHECK_MONEY_MISSING, INTENT("pi_1", "succeeded", 7, 1, 9000, 9000, 9000), TOLD_CONFIRMED);
    assert_money_breaks(CHECK_MONEY_MISSING, INTENT("pi_1", "canceled", 7, 1, 9000, 0, 0), TOLD_CONFIRMED);
    assert_money_breaks(CHECK_MONEY_WRONG, INTENT("pi_1", "succeeded", 7, 1, 9000, 8999, 0), TOLD_CONFIRMED);
    assert_money_breaks(CHECK_MONEY_WRONG, INTENT("pi_1", "succeeded", 7, 1, 9000, 9000, 1), TOLD_CONFIRMED);
    assert_money_breaks(CHECK_MONEY_WRONG, INTENT_OF("gala", "pi_1", "succeeded", 7, 1, 9000, 9000, 0, "USD"),
                        TOLD_CONFIRMED);
    assert_money_breaks(CHECK_MONEY_TWICE, PAID "," INTENT("pi_2", "succeeded", 7, 1, 9000, 9000, 0), TOLD_CONFIRMED);
    assert_money_breaks(CHECK_MONEY_TWICE, PAID "," INTENT("pi_2", "succeeded", 7, 1, 9000, 9000, 0), TOLD_PAYING);
    // For nothing; for an attempt that came to nothing; for somebody who was never there; for nobody at all.
    assert_money_breaks(CHECK_MONEY_TAKEN, PAID, TOLD_EXPIRED);
    assert_money_breaks(CHECK_MONEY_TAKEN, INTENT("pi_1", "succeeded", 7, 1, 9000, 9000, 8999), TOLD_EXPIRED);
    assert_money_breaks(CHECK_MONEY_TAKEN, PAID, HOLDING, HEARS(6100000, 1, NOTHING("expired", 1, 4)),
                        PUTS_CARD(6200000, 1, CHOICE(2, 9000), VISA),
                        ANSWER(6300000, 1, "PUT", 202, DOCUMENT("placed", 2, 1, 2, 9000)), END(7000000));
    assert_money_breaks(CHECK_MONEY_TAKEN, INTENT("pi_1", "succeeded", 9, 1, 9000, 9000, 0), TOLD_EXPIRED);
    assert_money_breaks(CHECK_MONEY_TAKEN,
                        "{\"id\":\"pi_1\",\"status\":\"succeeded\",\"amount\":1,\"captured\":1,\"refunded\":0,"
                        "\"currency\":\"EUR\",\"metadata\":{}}",
                        TOLD_EXPIRED);
    // Reserved, or about to be.
    assert_money_breaks(CHECK_MONEY_OPEN, INTENT("pi_1", "requires_capture", 7, 1, 9000, 0, 0), TOLD_EXPIRED);
    assert_money_breaks(CHECK_MONEY_OPEN, INTENT("pi_1", "requires_capture", 7, 1, 9000, 0, 0), TOLD_CONFIRMED);
    assert_money_breaks(CHECK_MONEY_OPEN, INTENT("pi_1", "processing", 7, 1, 9000, 0, 0), TOLD_EXPIRED);
    assert_money_breaks(CHECK_MONEY_OPEN, INTENT("pi_1", "requires_action", 7, 1, 9000, 0, 0), TOLD_EXPIRED);
    assert_money_breaks(CHECK_MONEY_OPEN, PAID "," INTENT("pi_2", "requires_capture", 9, 1, 9000, 0, 0),
                        TOLD_CONFIRMED);
}

static int read_ledger(const char *text, struct ledger *ret, char *problem)
{
    return ledger_read(text, strlen(text), "gala", ret, problem, 200);
}

static void test_reading_the_ledger(void **state)
{
    (void)state;
    static const char text[] = LEDGER(PAID "," INTENT("pi_2", "requires_capture", 8, 2, 700, 0, 0) "," INTENT(
        "pi_3", "succeeded", 9, 1, 500, 500, 500) "," INTENT("pi_4", "succeeded", 9, 1, 500, 500,
                                                             200) "," INTENT_OF("ball", "pi_5", "succeeded", 9, 1, 1, 1,
                                                                                0, "EUR"));
    struct ledger ledger = {0};
    char problem[200];
    assert_int_equal(read_ledger(text, &ledger, problem), 0);
    assert_int_equal(ledger.count, 4);
    assert_string_equal(ledger.items[1].id, "pi_2");
    assert_int_equal(ledger.items[1].place, 8);
    assert_int_equal(ledger.items[1].attempt, 2);
    struct ledger_sums sums = ledger_sum(&ledger);
    assert_int_equal(sums.captured, 9300);
    assert_int_equal(sums.captured_count, 2);
    assert_int_equal(sums.open, 700);
    assert_int_equal(sums.open_count, 1);
    assert_int_equal(sums.returned, 500);
    assert_int_equal(sums.returned_count, 1);
    ledger_done(&ledger);
    ledger_done(NULL);
    assert_int_equal(read_ledger("{}", &ledger, problem), ERROR_INVALID);
    assert_int_equal(read_ledger("nothing", &ledger, problem), ERROR_INVALID);
    assert_int_equal(read_ledger(LEDGER("{}"), &ledger, problem), ERROR_INVALID);
    assert_int_equal(read_ledger(LEDGER(INTENT("pi_1", "succeeded", 7, 1, 9000, 1, 2)), &ledger, problem),
                     ERROR_INVALID);
    assert_int_equal(read_ledger(LEDGER(INTENT("pi_1", "succeeded", 7, 1, -1, 0, 0)), &ledger, problem), ERROR_INVALID);
    assert_int_equal(read_ledger(LEDGER("7"), &ledger, problem), ERROR_INVALID);
    // A place that is none is nobody's.
    assert_int_equal(read_ledger(LEDGER(INTENT("pi_1", "succeeded", 7x, 1, 9000, 9000, 0)), &ledger, problem), 0);
    assert_int_equal(ledger.items[0].place, 0);
    ledger_done(&ledger);
}

static void test_the_purse(void **state)
{
    (void)state;
    struct told_order order = {.state = ORDER_HELD, .attempt = 1, .revision = 3};
    struct hold hold = {.purse = {.count = 3, .cards = {BAD, CHALLENGE, VISA}, .answers = ANSWERS_NO}};
    assert_int_equal(hold_next(&hold, &order), HOLD_GIVE_CARD);
    assert_string_equal(hold_card(&hold), BAD);
    assert_int_equal(hold_next(&hold, &order), HOLD_WAIT);
    order = (struct told_order){.state = ORDER_PAYING, .attempt = 1, .revision = 4};
    assert_int_equal(hold_next(&hold, &order), HOLD_WAIT);
    order = (struct told_order){.state = ORDER_DECLINED, .attempt = 1, .revision = 5};
    assert_int_equal(hold_next(&hold, &order), HOLD_GIVE_CARD);
    assert_string_equal(hold_card(&hold), CHALLENGE);
    assert_int_equal(hold_next(&hold, &order), HOLD_WAIT);
    order = (struct told_order){.state = ORDER_ACTION_REQUIRED, .attempt = 1, .revision = 7};
    assert_int_equal(hold_next(&hold, &order), HOLD_ANSWER);
    assert_int_equal(hold_next(&hold, &order), HOLD_WAIT);
    order = (struct told_order){.state = ORDER_DECLINED, .attempt = 1, .revision = 8};
    assert_int_equal(hold_next(&hold, &order), HOLD_GIVE_CARD);
    assert_string_equal(hold_card(&hold), VISA);
    // The purse is empty.
    order.revision = 10;
    assert_int_equal(hold_next(&hold, &order), HOLD_WAIT);
    // The next attempt begins anew.
    order = (struct told_order){.state = ORDER_HELD, .attempt = 2, .revision = 3};
    assert_int_equal(hold_next(&hold, &order), HOLD_GIVE_CARD);
    assert_string_equal(hold_card(&hold), BAD);

    // Named in the order: nothing is to be done before the bank says no.
    struct hold early = {.purse = {.count = 2, .cards = {BAD, VISA}, .with_order = true}};
    assert_int_equal(hold_next(&early, &order), HOLD_WAIT);
    order = (struct told_order){.state = ORDER_DECLINED, .attempt = 2, .revision = 5};
    assert_int_equal(hold_next(&early, &order), HOLD_GIVE_CARD);
    assert_string_equal(hold_card(&early), VISA);

    // Minds that change when they hear of the decline, or of the question; who never answers; who never pays.
    struct hold gives = {.holding = HOLDING_GIVES_BACK, .purse = {.count = 1, .cards = {BAD}}};
    order = (struct told_order){.state = ORDER_HELD, .attempt = 1, .revision = 3};
    assert_int_equal(hold_next(&gives, &order), HOLD_GIVE_CARD);
    order = (struct told_order){.state = ORDER_DECLINED, .attempt = 1, .revision = 5};
    assert_int_equal(hold_next(&gives, &order), HOLD_GIVE_BACK);
    assert_int_equal(hold_next(&gives, &order), HOLD_WAIT);
    struct hold never = {.purse = {.count = 1, .cards = {CHALLENGE}, .answers = ANSWERS_NEVER}};
    order = (struct told_order){.state = ORDER_HELD, .attempt = 1, .revision = 3};
    assert_int_equal(hold_next(&never, &order), HOLD_GIVE_CARD);
    order = (struct told_order){.state = ORDER_ACTION_REQUIRED, .attempt = 1, .revision = 5};
    assert_int_equal(hold_next(&never, &order), HOLD_WAIT);
    struct hold lapses = {.holding = HOLDING_LAPSES};
    assert_int_equal(hold_next(&lapses, &order), HOLD_WAIT);
}

#define VISITORS 1000

enum { ANY_COUNT = -1 };

// How many visitors do so about a hold, with such a card first, and so many cards in all.
static unsigned count(const struct visitor *visitors, enum holding holding, enum told_card first, int cards)
{
    unsigned found = 0;
    for (size_t i = 0; i < VISITORS; i++) {
        const struct hold *hold = &visitors[i].order.plan.hold;
        enum told_card card = hold->purse.count > 0 ? told_card_of(hold->purse.cards[0]) : TOLD_NO_CARD;
        found += hold->holding == holding && card == first && (cards == ANY_COUNT || hold->purse.count == cards);
    }
    return found;
}

static void test_the_shares(void **state)
{
    (void)state;
    const struct options options = {.visitors = VISITORS,
                                    .per_connection = 20,
                                    .orders_percent = 100,
                                    .declines_percent = 20,
                                    .challenges_percent = 10,
                                    .time_outs_percent = 5,
                                    .never_pay_percent = 10,
                                    .pay_late_percent = 2,
                                    .cancel_percent = 3,
                                    .with_order_percent = 40};
    struct stage stage = {.options = &options, .random = 1, .menu = {.tier_count = 1}, .by_card = true};
    struct visitor *visitors = calloc(VISITORS, sizeof *visitors);
    assert_non_null(visitors);
    assert_int_equal(roles_give(&stage, visitors), 0);
    assert_int_equal(count(visitors, HOLDING_LAPSES, TOLD_NO_CARD, ANY_COUNT), 100);
    assert_int_equal(count(visitors, HOLDING_PAYS_LATE, TOLD_CARD_GOOD, 1), 20);
    assert_int_equal(count(visitors, HOLDING_GIVES_BACK, TOLD_NO_CARD, ANY_COUNT), 10);
    assert_int_equal(count(visitors, HOLDING_GIVES_BACK, TOLD_CARD_DECLINED, 1), 10);
    assert_int_equal(count(visitors, HOLDING_GIVES_BACK, TOLD_CARD_CHALLENGED, 1), 10);
    assert_int_equal(count(visitors, HOLDING_PAYS, TOLD_CARD_UNSURE, 1), 50);
    assert_int_equal(count(visitors, HOLDING_PAYS, TOLD_CARD_GOOD, 1), 500);
    // Of ten who are declined two have nothing else, and two need a third card.
    assert_int_equal(count(visitors, HOLDING_PAYS, TOLD_CARD_DECLINED, 1), 40);
    assert_int_equal(count(visitors, HOLDING_PAYS, TOLD_CARD_DECLINED, 2), 120);
    assert_int_equal(count(visitors, HOLDING_PAYS, TOLD_CARD_DECLINED, 3), 40);
    // Of ten who are asked one has another card.
    assert_int_equal(count(visitors, HOLDING_PAYS, TOLD_CARD_CHALLENGED, 1), 90);
    assert_int_equal(count(visitors, HOLDING_PAYS, TOLD_CARD_CHALLENGED, 2), 10);
    unsigned no = 0, never = 0, with_order = 0;
    for (size_t i = 0; i < VISITORS; i++) {
        const struct hold *hold = &visitors[i].order.plan.hold;
        const struct purse *purse = &hold->purse;
        no += purse->answers == ANSWERS_NO;
        never += hold->holding == HOLDING_PAYS && purse->answers == ANSWERS_NEVER;
        with_order += purse->with_order;
        // The last card of several is good; and nobody names one who does not mean to pay.
        if (purse->count > 1)
            assert_int_equal(told_card_of(purse->cards[purse->count - 1]), TOLD_CARD_GOOD);
        if (purse->with_order)
            assert_true(hold->holding == HOLDING_PAYS && purse->count > 0);
    }
    assert_int_equal(no, 20);
    assert_int_equal(never, 10);
    assert_in_range(with_order, 300, 370); // two in five of those who pay
    free(visitors);
    // Without cards, and without a desk, nobody pays.
    visitors = calloc(VISITORS, sizeof *visitors);
    assert_non_null(visitors);
    stage.by_card = false;
    assert_int_equal(roles_give(&stage, visitors), 0);
    assert_int_equal(count(visitors, HOLDING_LAPSES, TOLD_NO_CARD, 0), 970);
    assert_int_equal(count(visitors, HOLDING_GIVES_BACK, TOLD_NO_CARD, 0), 30);
    free(visitors);
}

static void test_the_menu_says_whether_cards_are_taken(void **state)
{
    (void)state;
#define MENU(more)                                \
    "{\"slug\":\"gala\",\"max_per_order\":6" more \
    ",\"tiers\":[{\"code\":\"floor\",\"prices\":[{\"code\":\"full\",\"amount\":4500}]}]}"
    struct menu menu;
    char problem[200];
    assert_int_equal(menu_read(MENU(""), strlen(MENU("")), NULL, &menu, problem, sizeof problem), 0);
    assert_false(menu.takes_cards);
    static const char card[] = MENU(",\"payment\":\"card\""), seller[] = MENU(",\"payment\":\"seller\"");
    assert_int_equal(menu_read(seller, strlen(seller), NULL, &menu, problem, sizeof problem), 0);
    assert_false(menu.takes_cards);
    assert_int_equal(menu_read(card, strlen(card), NULL, &menu, problem, sizeof problem), 0);
    assert_true(menu.takes_cards);
    const struct menu_wish wish = {.quantity = 2, .email = "a@b", .payment_method = VISA};
    struct menu_order order;
    struct told told;
    assert_int_equal(menu_choose(&menu, &wish, &order), 0);
    assert_non_null(strstr(order.body, "\"payment_method\":\"" VISA "\""));
    json_t *asked = json_loads(order.asked, 0, NULL);
    assert_int_equal(told_read_data(TOLD_ORDER_ASKED, asked, &told, problem, sizeof problem), 0);
    assert_int_equal(told.card, TOLD_CARD_GOOD);
    json_decref(asked);
    menu_order_done(&order);
}

static void test_cards(void **state)
{
    (void)state;
    assert_int_equal(told_card_of(VISA), TOLD_CARD_GOOD);
    assert_int_equal(told_card_of(BAD), TOLD_CARD_DECLINED);
    assert_int_equal(told_card_of("pm_card_chargeDeclinedInsufficientFunds"), TOLD_CARD_DECLINED);
    assert_int_equal(told_card_of(CHALLENGE), TOLD_CARD_CHALLENGED);
    assert_int_equal(told_card_of("pm_sandbox_slow"), TOLD_CARD_UNSURE);
    // Who pays without a card, or is told of something that is no reason.
    struct told told;
    char problem[160];
    static const char no_card[] = LINE(1, 1, "order_asked", "\"method\":\"PAY\"");
    static const char no_reason[] = LINE(1, 1, "order", MONEY("declined", 5, ",\"reason\":\"why\""));
    static const char no_address[] = LINE(1, 1, "order", MONEY("action_required", 5, ",\"action_url\":\"\""));
    assert_int_equal(told_read(no_card, strlen(no_card), &told, problem, sizeof problem), ERROR_INVALID);
    assert_int_equal(told_read(no_reason, strlen(no_reason), &told, problem, sizeof problem), ERROR_INVALID);
    assert_int_equal(told_read(no_address, strlen(no_address), &told, problem, sizeof problem), ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paying),
        cmocka_unit_test(test_what_the_bank_says),
        cmocka_unit_test(test_the_way_through_the_states),
        cmocka_unit_test(test_the_ledger_agrees),
        cmocka_unit_test(test_the_ledger_disagrees),
        cmocka_unit_test(test_reading_the_ledger),
        cmocka_unit_test(test_the_purse),
        cmocka_unit_test(test_the_shares),
        cmocka_unit_test(test_the_menu_says_whether_cards_are_taken),
        cmocka_unit_test(test_cards),
    };
    return cmocka_run_group_tests_name("crowd money", tests, NULL, NULL);
}
