// SPDX-License-Identifier: Apache-2.0
// Key files: made, rotated, found again; and everything that a directory of keys must not be.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/keyring.h"

#define NOW INT64_C(1800000000)
#define LIFETIME INT64_C(86400)

struct place {
    char parent[64];
    char keys[80];
    char problem[256];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    if (!place)
        return -1;
    snprintf(place->parent, sizeof(place->parent), "/tmp/keyring-XXXXXX");
    if (!mkdtemp(place->parent))
        return -1;
    snprintf(place->keys, sizeof(place->keys), "%s/keys", place->parent);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    DIR *directory = opendir(place->keys);
    if (directory) {
        for (struct dirent *entry; (entry = readdir(directory));)
            unlinkat(dirfd(directory), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
        closedir(directory);
        rmdir(place->keys);
    }
    rmdir(place->parent);
    free(place);
    return 0;
}

static int rotate(struct place *place, int64_t now, struct keyring_key *ret)
{
    return keyring_rotate(place->keys, now, LIFETIME, ret, place->problem, sizeof(place->problem));
}

static int load(struct place *place, struct keyring *ret)
{
    return keyring_load(place->keys, ret, place->problem, sizeof(place->problem));
}

static void put(struct place *place, const char *name, const char *text, mode_t mode)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", place->keys, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static mode_t mode_of(struct place *place, const char *name)
{
    char path[200];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", place->keys, name);
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void nothing_there(void **state)
{
    struct keyring keyring;
    assert_int_equal(load(*state, &keyring), ERROR_NOT_FOUND);
    struct place *place = *state;
    assert_int_equal(mkdir(place->keys, 0700), 0);
    assert_int_equal(load(place, &keyring), ERROR_NOT_FOUND);
}

static void the_first_key_signs_at_once(void **state)
{
    struct place *place = *state;
    struct keyring_key key;
    umask(0); // the files are private whatever the umask
    assert_int_equal(rotate(place, NOW, &key), 0);
    assert_int_equal(key.created_at, NOW);
    assert_int_equal(key.signs_from, NOW);
    char name[64];
    snprintf(name, sizeof(name), "%s.json", key.kid);
    assert_int_equal(mode_of(place, name), 0600);
    assert_int_equal(mode_of(place, ""), 0700);
    struct keyring keyring;
    assert_int_equal(load(place, &keyring), 0);
    assert_int_equal(keyring.key_count, 1);
    assert_memory_equal(&keyring.keys[0], &key, sizeof(key));
    assert_ptr_equal(keyring_signing_key(&keyring, NOW), &keyring.keys[0]);
    assert_null(keyring_signing_key(&keyring, NOW - 1));
    assert_ptr_equal(keyring_find(&keyring, key.kid, strlen(key.kid)), &keyring.keys[0]);
    assert_null(keyring_find(&keyring, key.kid, strlen(key.kid) - 1));
    assert_null(keyring_find(&keyring, "", 0));
}

static void the_next_one_signs_ten_minutes_later(void **state)
{
    struct place *place = *state;
    struct keyring_key first, second;
    struct keyring keyring;
    assert_int_equal(rotate(place, NOW, &first), 0);
    assert_int_equal(rotate(place, NOW + 60, &second), 0);
    assert_string_not_equal(first.kid, second.kid);
    assert_memory_not_equal(first.secret, second.secret, sizeof(first.secret));
    assert_int_equal(load(place, &keyring), 0);
    assert_int_equal(keyring.key_count, 2);
    assert_string_equal(keyring.keys[0].kid, first.kid);
    assert_string_equal(keyring_signing_key(&keyring, NOW + 60 + 599)->kid, first.kid);
    assert_string_equal(keyring_signing_key(&keyring, NOW + 60 + 600)->kid, second.kid);
}

static void a_key_goes_when_its_tokens_have_expired(void **state)
{
    struct place *place = *state;
    struct keyring_key first, second, third, fourth;
    struct keyring keyring;
    assert_int_equal(rotate(place, NOW, &first), 0);
    assert_int_equal(rotate(place, NOW + 1, &second), 0);
    // The second has signed since NOW + 601, so the first may have signed until then.
    assert_int_equal(rotate(place, NOW + 601 + LIFETIME, &third), 0);
    assert_int_equal(load(place, &keyring), 0);
    assert_int_equal(keyring.key_count, 3);
    assert_int_equal(rotate(place, NOW + 602 + LIFETIME, &fourth), 0);
    assert_int_equal(load(place, &keyring), 0);
    assert_int_equal(keyring.key_count, 3);
    assert_null(keyring_find(&keyring, first.kid, strlen(first.kid)));
    assert_non_null(keyring_find(&keyring, second.kid, strlen(second.kid)));
}

static void no_more_keys_than_there_is_room_for(void **state)
{
    struct place *place = *state;
    struct keyring_key key, untouched;
    struct keyring keyring;
    for (int i = 0; i < KEYRING_KEYS_MAX; i++)
        assert_int_equal(rotate(place, NOW + i, &key), 0);
    memset(&untouched, 0x5a, sizeof(untouched));
    key = untouched;
    assert_int_equal(rotate(place, NOW + 100, &key), ERROR_LIMIT);
    assert_memory_equal(&key, &untouched, sizeof(key));
    assert_int_equal(load(place, &keyring), 0);
    assert_int_equal(keyring.key_count, KEYRING_KEYS_MAX);
    put(place, "onemore.json", "{}", 0600);
    assert_int_not_equal(load(place, &keyring), 0);
}

// A key as written by hand, to be spoilt in one place at a time.
#define GOOD                                                                                                   \
    "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"k1\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"," \
    "\"created_at\":5,\"signs_from\":6}"

static void a_key_written_by_hand(void **state)
{
    struct place *place = *state;
    struct keyring keyring;
    assert_int_equal(mkdir(place->keys, 0700), 0);
    put(place, "k1.json", GOOD, 0400);
    put(place, ".k2.new", "half a k", 0600); // being written by somebody else
    assert_int_equal(load(place, &keyring), 0);
    assert_int_equal(keyring.key_count, 1);
    assert_int_equal(keyring.keys[0].created_at, 5);
    assert_int_equal(keyring.keys[0].signs_from, 6);
    for (unsigned i = 0; i < KEYRING_SECRET_BYTES; i++)
        assert_int_equal(keyring.keys[0].secret[i], i);
}

static void garbage_is_refused(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"k1.json", ""},
        {"k1.json", "key"},
        {"k1.json", "[]"},
        {"k1.json", "{}"},
        {"k2.json", GOOD},
        {"k1", GOOD},
        {"k1.txt", GOOD},
        {"k1.json~", GOOD},
        {"k1.json",
         "{\"kty\":\"RSA\",\"alg\":\"HS256\",\"kid\":\"k1\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\","
         "\"created_at\":5,\"signs_from\":6}"},
        {"k1.json",
         "{\"kty\":\"oct\",\"alg\":\"none\",\"kid\":\"k1\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\","
         "\"created_at\":5,\"signs_from\":6}"},
        {"k1.json",
         "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"k1\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg\","
         "\"created_at\":5,\"signs_from\":6}"},
        {"k1.json",
         "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"k1\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","
         "\"created_at\":5,\"signs_from\":6}"},
        {"k1.json",
         "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"k1\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\","
         "\"created_at\":-5,\"signs_from\":6}"},
        {"k1.json",
         "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"k1\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\","
         "\"created_at\":5}"},
        {"K1.json",
         "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"K1\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\","
         "\"created_at\":5,\"signs_from\":6}"},
    };
    assert_int_equal(mkdir(place->keys, 0700), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct keyring keyring;
        struct keyring_key key;
        char path[200];
        put(place, cases[i].name, cases[i].text, 0600);
        if (load(place, &keyring) != ERROR_INVALID || !strstr(place->problem, cases[i].name))
            fail_msg("%s with %s: %s", cases[i].name, cases[i].text, place->problem);
        // Rotating a directory that is not understood would make it worse.
        assert_int_equal(rotate(place, NOW, &key), ERROR_INVALID);
        snprintf(path, sizeof(path), "%s/%s", place->keys, cases[i].name);
        unlink(path);
    }
}

static void a_long_file_is_refused(void **state)
{
    struct place *place = *state;
    struct keyring keyring;
    static char text[9000];
    memset(text, ' ', sizeof(text) - 1);
    memcpy(text, GOOD, strlen(GOOD));
    assert_int_equal(mkdir(place->keys, 0700), 0);
    put(place, "k1.json", text, 0600);
    assert_int_equal(load(place, &keyring), ERROR_INVALID);
}

static void what_others_can_read_is_refused(void **state)
{
    struct place *place = *state;
    struct keyring keyring;
    static const mode_t modes[] = {0640, 0604, 0620, 0601};
    assert_int_equal(mkdir(place->keys, 0700), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        put(place, "k1.json", GOOD, modes[i]);
        assert_int_equal(load(place, &keyring), ERROR_PERMANENT);
        assert_non_null(strstr(place->problem, "k1.json"));
    }
    put(place, "k1.json", GOOD, 0600);
    assert_int_equal(load(place, &keyring), 0);
    assert_int_equal(chmod(place->keys, 0750), 0);
    assert_int_equal(load(place, &keyring), ERROR_PERMANENT);
    struct keyring_key key;
    assert_int_equal(rotate(place, NOW, &key), ERROR_PERMANENT);
    assert_int_equal(chmod(place->keys, 0700), 0);
}

static void a_folder_or_a_pipe_is_no_key(void **state)
{
    struct place *place = *state;
    struct keyring keyring;
    char path[200];
    assert_int_equal(mkdir(place->keys, 0700), 0);
    snprintf(path, sizeof(path), "%s/k1.json", place->keys);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(load(place, &keyring), ERROR_INVALID);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(load(place, &keyring), ERROR_INVALID); // and does not wait for a writer
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(nothing_there),
        WITH_PLACE(the_first_key_signs_at_once),
        WITH_PLACE(the_next_one_signs_ten_minutes_later),
        WITH_PLACE(a_key_goes_when_its_tokens_have_expired),
        WITH_PLACE(no_more_keys_than_there_is_room_for),
        WITH_PLACE(a_key_written_by_hand),
        WITH_PLACE(garbage_is_refused),
        WITH_PLACE(a_long_file_is_refused),
        WITH_PLACE(what_others_can_read_is_refused),
        WITH_PLACE(a_folder_or_a_pipe_is_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
