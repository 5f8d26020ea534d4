// links: admin
// SPDX-License-Identifier: Apache-2.0
// Event files: what is accepted keeps every bound that the tables and the programs count on; what is refused is said in
// text that can go on a terminal's line and into JSON.
#include "admin/event_file.h"
#include "common/slug.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

static int zone_exists(const char *name)
{
    return strcmp(name, "Europe/Berlin") == 0;
}

static void check_text(const char *text, size_t room)
{
    FUZZ_CHECK(memchr(text, '\0', room) != NULL);
    for (size_t left = strlen(text), taken; left > 0; left -= taken, text += taken) {
        taken = utf8_character_bytes(text, left);
        FUZZ_CHECK(taken > 0);
        FUZZ_CHECK((unsigned char)*text >= ' ' && *text != 0x7f);
    }
}

static void check_problems(const struct event_problems *problems)
{
    FUZZ_CHECK(problems->count >= 1 && problems->count <= EVENT_FILE_PROBLEMS_MAX);
    FUZZ_CHECK(problems->more == 0 || problems->count == EVENT_FILE_PROBLEMS_MAX);
    for (size_t i = 0; i < problems->count; i++) {
        check_text(problems->items[i].field, sizeof problems->items[i].field);
        check_text(problems->items[i].detail, sizeof problems->items[i].detail);
        FUZZ_CHECK(*problems->items[i].detail);
    }
}

static size_t check_row(const struct event_row *row)
{
    size_t free_seats = 0;
    FUZZ_CHECK(*row->name && strlen(row->name) < EVENT_FILE_ROW_BYTES && row->seat_count > 0);
    for (size_t i = 0; i < row->seat_count; i++) {
        FUZZ_CHECK(row->seats[i].number > (i ? row->seats[i - 1].number : 0));
        FUZZ_CHECK(!row->seats[i].wheelchair || !row->seats[i].companion);
        free_seats += !row->seats[i].blocked;
    }
    return free_seats;
}

static void check_tier(const struct event_tier *tier)
{
    FUZZ_CHECK(slug_is_valid(tier->code, strlen(tier->code)) && *tier->name);
    FUZZ_CHECK(tier->price_count >= 1 && tier->price_count <= EVENT_FILE_PRICES_MAX);
    for (size_t i = 0; i < tier->price_count; i++) {
        FUZZ_CHECK(slug_is_valid(tier->prices[i].code, strlen(tier->prices[i].code)));
        FUZZ_CHECK(tier->prices[i].amount >= 0 && tier->prices[i].amount <= EVENT_FILE_AMOUNT_MAX);
    }
    FUZZ_CHECK(tier->seated == (tier->row_count > 0) && tier->row_count <= EVENT_FILE_ROWS_MAX);
    size_t seats = 0;
    for (size_t i = 0; i < tier->row_count; i++)
        seats += check_row(&tier->rows[i]);
    FUZZ_CHECK(tier->seated ? tier->capacity == seats
                            : tier->capacity >= 1 && tier->capacity <= EVENT_FILE_CAPACITY_MAX);
}

static void check_event(const struct event_file *file)
{
    struct pace pace;
    char again[PACE_TEXT_BYTES];
    FUZZ_CHECK(slug_is_valid(file->slug, strlen(file->slug)) && *file->name && file->venue);
    FUZZ_CHECK(zone_exists(file->timezone) && strlen(file->currency) == 3);
    FUZZ_CHECK(pace_parse(file->pace, &pace) == 0 && strcmp(pace_format(&pace, again), file->pace) == 0);
    FUZZ_CHECK(file->max_per_order >= 1 && file->max_per_order <= file->max_per_customer);
    FUZZ_CHECK(file->turn_seconds >= 1 && file->absent_seconds >= 0 && file->hold_seconds >= 1 &&
               file->max_active >= 0);
    if (file->opens_at_us != EVENT_FILE_NO_TIME && file->closes_at_us != EVENT_FILE_NO_TIME)
        FUZZ_CHECK(file->opens_at_us < file->closes_at_us);
    FUZZ_CHECK(file->tier_count <= EVENT_FILE_TIERS_MAX);
    for (size_t i = 0; i < file->tier_count; i++) {
        check_tier(&file->tiers[i]);
        for (size_t before = 0; before < i; before++)
            FUZZ_CHECK(strcmp(file->tiers[before].code, file->tiers[i].code) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct event_file *file = NULL;
    static struct event_problems problems;
    int error = event_file_read((const char *)data, bytes, zone_exists, &file, &problems);
    FUZZ_CHECK(error == 0 || error == ERROR_INVALID);
    if (error) {
        FUZZ_CHECK(file == NULL);
        check_problems(&problems);
    } else {
        FUZZ_CHECK(problems.count == 0);
        check_event(file);
    }
    event_file_free(file);
    return 0;
}
