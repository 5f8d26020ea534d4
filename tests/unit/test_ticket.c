// SPDX-License-Identifier: Apache-2.0
// Tickets and their keys: made, rotated, found again; signed and verified; and everything that is no ticket of ours.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base64url.h"
#include "common/keyring.h"
#include "common/ticket.h"

#define NOW INT64_C(1800000000)

struct place {
    char directory[64], folder[80];
    char problem[256];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    if (!place)
        return -1;
    snprintf(place->directory, sizeof(place->directory), "/tmp/ticket-XXXXXX");
    if (!mkdtemp(place->directory))
        return -1;
    snprintf(place->folder, sizeof(place->folder), "%s/" TICKET_KEYS_FOLDER, place->directory);
    *state = place;
    return 0;
}

static void empty(const char *path)
{
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    rmdir(path);
}

static int remove_place(void **state)
{
    struct place *place = *state;
    empty(place->folder);
    empty(place->directory);
    free(place);
    return 0;
}

static struct ticket_key_made rotate(struct place *place, int64_t now)
{
    struct ticket_key_made made = {.kid = ""};
    assert_int_equal(ticket_keys_rotate(place->directory, now, &made, place->problem, sizeof(place->problem)), 0);
    return made;
}

static struct ticket_keys *load(struct place *place)
{
    struct ticket_keys *keys = NULL;
    assert_int_equal(ticket_keys_load(place->directory, &keys, place->problem, sizeof(place->problem)), 0);
    return keys;
}

static void path_of(const struct place *place, const char *kid, char path[static 160])
{
    snprintf(path, 160, "%s/%s.json", place->folder, kid);
}

static struct ticket usual(void)
{
    return (struct ticket){.event = "spring-gala",
                           .reference = "K7QM-4WDP",
                           .place = 4211,
                           .tier = "stalls",
                           .quantity = 2,
                           .seats = "[\"A-12\",\"A-13\"]",
                           .issued_at = NOW};
}

// ---- Keys

static void nothing_there(void **state)
{
    struct place *place = *state;
    struct ticket_keys *keys = NULL;
    assert_int_equal(ticket_keys_load(place->directory, &keys, place->problem, sizeof(place->problem)),
                     ERROR_NOT_FOUND);
    assert_null(keys);
    assert_null(ticket_keys_signing(NULL, NOW));
    struct buffer text = BUFFER_INIT;
    ticket_keys_write_public(NULL, &text);
    assert_string_equal(text.data, "{\"keys\":[]}");
    buffer_done(&text);
}

static void the_first_key_signs_at_once_and_the_next_later(void **state)
{
    struct place *place = *state;
    struct stat status;
    char path[160];
    umask(0); // the files are private whatever the umask
    struct ticket_key_made first = rotate(place, NOW), second = rotate(place, NOW + 1);
    assert_int_equal(first.signs_from, NOW);
    assert_int_equal(second.signs_from, NOW + 1 + TICKET_KEYS_SIGN_AFTER_SECONDS);
    path_of(place, first.kid, path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(stat(place->folder, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    struct ticket_keys *keys = load(place);
    assert_int_equal(keys->count, 2);
    assert_string_equal(ticket_keys_signing(keys, NOW + 600)->kid, first.kid);
    assert_string_equal(ticket_keys_signing(keys, NOW + 601)->kid, second.kid);
    assert_null(ticket_keys_signing(keys, NOW - 1));
    assert_non_null(ticket_keys_find(keys, first.kid));
    assert_null(ticket_keys_find(keys, "nokey"));
    struct buffer text = BUFFER_INIT;
    ticket_keys_write_public(keys, &text);
    assert_non_null(strstr(text.data, first.kid));
    assert_non_null(strstr(text.data, second.kid));
    assert_null(strstr(text.data, "\"d\"")); // the private part stays here
    buffer_done(&text);
    ticket_keys_unref(keys);
}

static void queue_keys_do_not_mind_them(void **state)
{
    struct place *place = *state;
    struct keyring_key key;
    struct keyring keyring;
    rotate(place, NOW);
    assert_int_equal(keyring_rotate(place->directory, NOW, 86400, &key, place->problem, sizeof(place->problem)), 0);
    assert_int_equal(keyring_load(place->directory, &keyring, place->problem, sizeof(place->problem)), 0);
    assert_int_equal(keyring.key_count, 1);
    struct ticket_keys *keys = load(place);
    assert_int_equal(keys->count, 1);
    ticket_keys_unref(keys);
}

// Replaces a piece of the key's file, and expects the refusal.
static void assert_key_refused(struct place *place, const char *kid, const char *old, const char *changed,
                               const char *why)
{
    char path[160], text[1024] = "", whole[1024];
    path_of(place, kid, path);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    size_t bytes = fread(text, 1, sizeof(text) - 1, file);
    const char *at = strstr(text, old);
    assert_non_null(at);
    int length = snprintf(whole, sizeof(whole), "%.*s%s%s", (int)(at - text), text, changed, at + strlen(old));
    rewind(file);
    assert_int_equal(ftruncate(fileno(file), 0), 0);
    assert_int_equal(fwrite(whole, 1, (size_t)length, file), (size_t)length);
    fclose(file);
    struct ticket_keys *keys = NULL;
    assert_int_equal(ticket_keys_load(place->directory, &keys, place->problem, sizeof(place->problem)), ERROR_INVALID);
    if (!strstr(place->problem, why))
        fail_msg("told: %s", place->problem);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    fclose(file);
}

static void a_file_that_is_no_key(void **state)
{
    struct place *place = *state;
    struct ticket_key_made made = rotate(place, NOW);
    assert_key_refused(place, made.kid, "\"EC\"", "\"RSA\"", "kty must be EC");
    assert_key_refused(place, made.kid, "\"P-256\"", "\"P-384\"", "crv must be P-256");
    assert_key_refused(place, made.kid, "\"ES256\"", "\"none\"", "alg must be ES256");
    assert_key_refused(place, made.kid, made.kid, "0123456789abcdef", "kid must be");
    assert_key_refused(place, made.kid, "\"x\": \"", "\"x\": \"A", "one key pair");
    assert_key_refused(place, made.kid, "\"d\"", "\"e\"", "one key pair");
    assert_key_refused(place, made.kid, "signs_from\": 1", "signs_from\": -1", "signs_from");
    assert_key_refused(place, made.kid, "{", "[", "");
    // Another pair's private part: it would sign what nobody could verify.
    struct ticket_key_made other = rotate(place, NOW);
    char path[160], mine[1024] = "", foreign[64] = "";
    path_of(place, other.kid, path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(mine, 1, sizeof(mine) - 1, file) > 0);
    fclose(file);
    const char *d = strstr(mine, "\"d\": \"") + 6;
    memcpy(foreign, d, 43);
    path_of(place, made.kid, path);
    file = fopen(path, "r");
    assert_non_null(file);
    memset(mine, 0, sizeof(mine));
    assert_true(fread(mine, 1, sizeof(mine) - 1, file) > 0);
    fclose(file);
    char own[64] = "";
    memcpy(own, strstr(mine, "\"d\": \"") + 6, 43);
    assert_key_refused(place, made.kid, own, foreign, "one key pair");
    assert_int_equal(chmod(path, 0644), 0);
    struct ticket_keys *keys = NULL;
    assert_int_equal(ticket_keys_load(place->directory, &keys, place->problem, sizeof(place->problem)),
                     ERROR_PERMANENT);
}

// ---- Tickets

static void assert_refused(const char *text, size_t bytes, const struct ticket_keys *keys, const char *why)
{
    struct ticket ticket;
    const char *reason = NULL;
    assert_int_equal(ticket_verify(text, bytes, keys, &ticket, &reason), ERROR_INVALID);
    assert_string_equal(reason, why);
}

static void there_and_back(void **state)
{
    struct place *place = *state;
    rotate(place, NOW);
    struct ticket_keys *keys = load(place);
    struct ticket read, ticket = usual();
    const char *reason = NULL;
    char text[TICKET_BYTES_MAX], again[TICKET_BYTES_MAX];
    for (int i = 0; i < 200; i++) { // a number with leading zeros, one time in 256, has its 32 bytes all the same
        ticket.place = (uint64_t)i + 1;
        assert_int_equal(ticket_sign(&ticket, &keys->keys[0], text), 0);
        assert_int_equal(ticket_verify(text, strlen(text), keys, &read, &reason), 0);
        assert_memory_equal(&read, &ticket, sizeof(ticket));
    }
    ticket.seats[0] = '\0';
    assert_int_equal(ticket_sign(&ticket, &keys->keys[0], again), 0);
    assert_int_equal(ticket_verify(again, strlen(again), keys, &read, &reason), 0);
    assert_string_equal(read.seats, "");
    ticket_keys_unref(keys);
}

static void an_old_key_still_verifies(void **state)
{
    struct place *place = *state;
    rotate(place, NOW);
    struct ticket_keys *keys = load(place);
    struct ticket read, ticket = usual();
    const char *reason = NULL;
    char text[TICKET_BYTES_MAX];
    assert_int_equal(ticket_sign(&ticket, ticket_keys_signing(keys, NOW), text), 0);
    ticket_keys_unref(keys);
    for (int i = 1; i < TICKET_KEYS_MAX; i++)
        rotate(place, NOW + INT64_C(31536000) * i);
    struct ticket_key_made made;
    assert_int_equal(ticket_keys_rotate(place->directory, NOW, &made, place->problem, sizeof(place->problem)),
                     ERROR_LIMIT);
    keys = load(place);
    assert_int_equal(keys->count, TICKET_KEYS_MAX);
    assert_int_equal(ticket_verify(text, strlen(text), keys, &read, &reason), 0);
    ticket_keys_unref(keys);
}

static void every_character_counts(void **state)
{
    struct place *place = *state;
    rotate(place, NOW);
    struct ticket_keys *keys = load(place);
    struct ticket read, ticket = usual();
    const char *reason;
    char text[TICKET_BYTES_MAX];
    assert_int_equal(ticket_sign(&ticket, &keys->keys[0], text), 0);
    size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes; i++) {
        char before = text[i];
        text[i] = before == 'A' ? 'B' : 'A';
        assert_int_equal(ticket_verify(text, bytes, keys, &read, &reason), ERROR_INVALID);
        text[i] = before;
        assert_int_equal(ticket_verify(text, i, keys, &read, &reason), ERROR_INVALID);
    }
    assert_int_equal(ticket_verify(text, bytes, keys, &read, &reason), 0);
    ticket_keys_unref(keys);
    struct ticket_keys *nobodys = calloc(1, sizeof(*nobodys));
    assert_refused(text, bytes, nobodys, "key");
    free(nobodys);
}

// Header and claims as somebody else writes them, with a signature that `mac` names: 'h' HMAC with the public key, 'z' 64 zeros, 'n' none.
static void forge(const char *header, const char *claims, char mac, const struct ticket_keys *keys, char *ret)
{
    size_t bytes = base64url_encode(header, strlen(header), ret);
    ret[bytes++] = '.';
    bytes += base64url_encode(claims, strlen(claims), ret + bytes);
    uint8_t signature[EVP_MAX_MD_SIZE] = {0};
    unsigned signature_bytes = 0;
    if (mac == 'h')
        HMAC(EVP_sha256(), keys->keys[0].x, sizeof(keys->keys[0].x), (const uint8_t *)ret, bytes, signature,
             &signature_bytes);
    ret[bytes++] = '.';
    base64url_encode(signature, mac == 'z' ? 64 : signature_bytes, ret + bytes);
}

static void the_header_is_not_believed(void **state)
{
    struct place *place = *state;
    struct ticket_key_made made = rotate(place, NOW);
    struct ticket_keys *keys = load(place);
    static const char claims[] =
        "{\"aud\":\"spring-gala\",\"iat\":1800000000,\"iss\":\"onsale\",\"place\":1,\"quantity\":1,"
        "\"sub\":\"K7QM-4WDP\",\"tier\":\"floor\"}";
    static const struct {
        const char *format;
        char mac;
        const char *why;
    } cases[] = {
        {"{\"alg\":\"none\",\"kid\":\"%s\",\"typ\":\"onsale-ticket+jwt\"}", 'n', "algorithm"},
        {"{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"onsale-ticket+jwt\"}", 'h', "algorithm"},
        {"{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"onsale-queue+jwt\"}", 'z', "type"},
        {"{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", 'z', "type"},
        {"{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"onsale-ticket+jwt\",\"crit\":[\"x\"]}", 'z', "header"},
        {"{\"alg\":\"ES256\",\"kid\":\"%s0\",\"typ\":\"onsale-ticket+jwt\"}", 'z', "key"},
        {"{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"onsale-ticket+jwt\"}", 'n', "signature"},
        {"{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"onsale-ticket+jwt\"}", 'z', "signature"}, // r = s = 0
        {"{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"onsale-ticket+jwt\"}", 'h', "signature"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char header[160], text[TICKET_BYTES_MAX];
        const char *rest = strstr(cases[i].format, "%s");
        int length = snprintf(header, sizeof(header), "%.*s%s%s", (int)(rest - cases[i].format), cases[i].format,
                              made.kid, rest + 2);
        assert_true(length > 0 && length < (int)sizeof(header));
        forge(header, claims, cases[i].mac, keys, text);
        assert_refused(text, strlen(text), keys, cases[i].why);
    }
    assert_refused("", 0, keys, "form");
    assert_refused("a.b", 3, keys, "form");
    assert_refused("a.b.c.d", 7, keys, "form");
    assert_refused("a.b.c", 5, keys, "header");
    char exact[TICKET_BYTES_MAX];
    memset(exact, 'a', sizeof(exact));
    assert_refused(exact, sizeof(exact), keys, "length");
    ticket_keys_unref(keys);
}

static void what_cannot_be_a_ticket_is_not_signed(void **state)
{
    struct place *place = *state;
    rotate(place, NOW);
    struct ticket_keys *keys = load(place);
    char text[TICKET_BYTES_MAX] = "untouched";
    struct ticket right = usual(), wrong[7];
    for (size_t i = 0; i < 7; i++)
        wrong[i] = right;
    memcpy(wrong[0].event, "Gala", 5);
    memcpy(wrong[1].reference, "K7QM-4WDU", 10); // no U in a reference
    wrong[2].place = 0;
    wrong[3].quantity = 0;
    memcpy(wrong[4].tier, "a\"b", 4);
    memcpy(wrong[5].seats, "{}", 3);
    wrong[6].issued_at = -1;
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(ticket_sign(&wrong[i], &keys->keys[0], text), ERROR_INVALID);
    assert_string_equal(text, "untouched");
    ticket_keys_unref(keys);
}

static void many_seats_are_left_out(void **state)
{
    (void)state;
    struct ticket ticket = usual();
    char many[400];
    memset(many, ' ', sizeof(many) - 1);
    many[0] = '[';
    many[sizeof(many) - 2] = ']';
    many[sizeof(many) - 1] = '\0';
    ticket_set_seats(&ticket, many);
    assert_string_equal(ticket.seats, "");
    ticket_set_seats(&ticket, "[\"A-1\"]");
    assert_string_equal(ticket.seats, "[\"A-1\"]");
    ticket_set_seats(&ticket, NULL);
    assert_string_equal(ticket.seats, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_there, make_place, remove_place),
        cmocka_unit_test_setup_teardown(the_first_key_signs_at_once_and_the_next_later, make_place, remove_place),
        cmocka_unit_test_setup_teardown(queue_keys_do_not_mind_them, make_place, remove_place),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_key, make_place, remove_place),
        cmocka_unit_test_setup_teardown(there_and_back, make_place, remove_place),
        cmocka_unit_test_setup_teardown(an_old_key_still_verifies, make_place, remove_place),
        cmocka_unit_test_setup_teardown(every_character_counts, make_place, remove_place),
        cmocka_unit_test_setup_teardown(the_header_is_not_believed, make_place, remove_place),
        cmocka_unit_test_setup_teardown(what_cannot_be_a_ticket_is_not_signed, make_place, remove_place),
        cmocka_unit_test(many_seats_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
