// SPDX-License-Identifier: Apache-2.0
// Loading the configuration. Each key has a slot; the file fills slots first, the environment above it, and only when
// there was no problem at all do the slots reach the program's structure.
#include "common/config.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config_check.h"
#include "common/config_value.h"

#define FILE_BYTES_MAX ((size_t)1024 * 1024)
#define SECRET_BYTES_MAX 65536
#define LINE_BYTES_MAX 1024 // what a name of a section is copied into; inih's own limit of a line is lower
#define VARIABLE_BYTES_MAX 160

extern char **environ; // POSIX declares it in no header

// Who judges the keys of a section: the program named, or everybody. Other programs leave it alone, so that one file can
// serve programs of different ages.
static const struct {
    const char *name;
    const char *owner;
} sections[] = {
    {"mysql", NULL},
    {"amqp", NULL},
    {"tokens", NULL},
    {"ops", NULL},
    {"log", NULL},
    {"waiting-room", "waiting-room"},
    {"admission", "admission"},
    {"booking-worker", "booking-worker"},
    {"payment", NULL},
    {"notifier", "notifier"},
    {"onsale", "onsale"},
};
#define SECTION_COUNT (sizeof sections / sizeof sections[0])

// A key and what was found for it.
struct slot {
    const struct config_key *key;
    char *text; // NULL: not given, so the default
    union config_value value;
    bool in_file;
};

struct loader {
    const struct config_table *table;
    const char *path; // NULL: no file
    struct buffer *problems;
    size_t problem_count;
    bool out_of_memory;
    struct config_key user, password; // mysql_user and mysql_password of the program's own section
    struct slot *slots;
    size_t slot_count;
    // While the file is read:
    FILE *file;
    size_t file_bytes;
    int line;
    bool pending; // the line has something in it that inih has not handed to the handler
};

// Appends "FILE:LINE: " or "VARIABLE: ", to be followed by what is wrong there.
static void begin_problem(struct loader *loader, const char *variable)
{
    loader->problem_count++;
    if (variable)
        buffer_format(loader->problems, "%s: ", variable);
    else
        buffer_format(loader->problems, "%s:%d: ", loader->path, loader->line);
}

static void add_suggestion(struct loader *loader, const char *word, const char *const *words, size_t count)
{
    const char *nearest = config_nearest(word, words, count);
    if (nearest)
        buffer_format(loader->problems, "; did you mean %s?", nearest);
    buffer_text(loader->problems, "\n");
}

// Takes a text for a key, from the file (variable NULL) or from a variable of the environment.
static void fill_slot(struct loader *loader, struct slot *slot, const char *text, const char *variable)
{
    const struct config_key *key = slot->key;
    union config_value value;
    if (config_value_parse(key, text, &value) != 0) {
        begin_problem(loader, variable);
        buffer_format(loader->problems, "[%s] %s: ", key->section, key->name);
        if (key->secret)
            buffer_text(loader->problems, "not allowed");
        else
            buffer_json_string(loader->problems, text);
        buffer_text(loader->problems, key->secret ? "; " : " is not allowed; ");
        if (key->type == CONFIG_STRING)
            buffer_text(loader->problems, "text without control characters");
        else
            config_value_allowed(key, loader->problems);
        buffer_text(loader->problems, "\n");
        return;
    }
    char *copy = strdup(text);
    if (!copy) {
        loader->out_of_memory = true;
        return;
    }
    free(slot->text);
    slot->text = copy;
    slot->value = value;
}

static struct slot *find_slot(const struct loader *loader, const char *section, const char *name)
{
    for (size_t i = 0; i < loader->slot_count; i++)
        if (strcmp(loader->slots[i].key->section, section) == 0 && strcmp(loader->slots[i].key->name, name) == 0)
            return &loader->slots[i];
    return NULL;
}

static bool is_known_section(const struct loader *loader, const char *section)
{
    for (size_t i = 0; i < SECTION_COUNT; i++)
        if (strcmp(sections[i].name, section) == 0)
            return true;
    return strcmp(loader->table->program, section) == 0;
}

static bool is_judged_section(const struct loader *loader, const char *section)
{
    for (size_t i = 0; i < SECTION_COUNT; i++)
        if (strcmp(sections[i].name, section) == 0)
            return !sections[i].owner || strcmp(sections[i].owner, loader->table->program) == 0;
    return strcmp(loader->table->program, section) == 0;
}

static void report_unknown_key(struct loader *loader, const char *variable, const char *section, const char *name)
{
    const char **names = calloc(loader->slot_count, sizeof *names);
    size_t count = 0;
    for (size_t i = 0; names && i < loader->slot_count; i++)
        if (strcmp(loader->slots[i].key->section, section) == 0)
            names[count++] = loader->slots[i].key->name;
    begin_problem(loader, variable);
    buffer_format(loader->problems, "[%s] ", section);
    buffer_json_string(loader->problems, name);
    buffer_text(loader->problems, ": no such key");
    add_suggestion(loader, name, names, count);
    free(names);
}

// inih's handler: one key of the file.
static int on_key(void *user, const char *section, const char *name, const char *text)
{
    struct loader *loader = user;
    loader->pending = false;
    if (*section == '\0') {
        begin_problem(loader, NULL);
        buffer_json_string(loader->problems, name);
        buffer_text(loader->problems, ": stands before the first [section]\n");
        return 1;
    }
    struct slot *slot = find_slot(loader, section, name);
    if (!slot) {
        if (is_judged_section(loader, section))
            report_unknown_key(loader, NULL, section, name);
        return 1;
    }
    if (slot->in_file) {
        begin_problem(loader, NULL);
        buffer_format(loader->problems, "[%s] %s: given twice; leave one of them\n", section, name);
        return 1;
    }
    slot->in_file = true;
    fill_slot(loader, slot, text, NULL);
    return 1;
}

// Looks at a line that opens a section: inih says nothing about an unknown one without keys.
static void on_section(struct loader *loader, const char *line)
{
    const char *end = strchr(line, ']');
    if (!end) {
        begin_problem(loader, NULL);
        buffer_text(loader->problems, "the section's name has no ] behind it\n");
        return;
    }
    char name[LINE_BYTES_MAX];
    (void)snprintf(name, sizeof name, "%.*s", (int)(end - line - 1), line + 1);
    if (is_known_section(loader, name))
        return;
    const char *known[SECTION_COUNT];
    for (size_t i = 0; i < SECTION_COUNT; i++)
        known[i] = sections[i].name;
    begin_problem(loader, NULL);
    buffer_text(loader->problems, "no such section: ");
    buffer_json_string(loader->problems, name);
    add_suggestion(loader, name, known, SECTION_COUNT);
}

// Ends what is to be said about the line before: one that had something in it, yet inih found no key there.
static void end_line(struct loader *loader)
{
    if (!loader->pending)
        return;
    loader->pending = false;
    begin_problem(loader, NULL);
    buffer_text(loader->problems, "neither KEY = VALUE, nor [SECTION], nor a comment (# or ;)\n");
}

// Reads a line whole into `line`, without the end of line. False at the end of the file. Sets *ret_wrong to what is wrong
// with it, if anything.
static bool read_line(struct loader *loader, char *line, size_t line_bytes, const char **ret_wrong)
{
    size_t bytes = 0;
    int c = EOF;
    *ret_wrong = NULL;
    while ((c = getc(loader->file)) != EOF && c != '\n') {
        if (++loader->file_bytes > FILE_BYTES_MAX) {
            *ret_wrong = "the file goes on for more than 1 MiB";
            break;
        }
        if (c == '\0')
            *ret_wrong = "a NUL byte; only text is allowed";
        if (bytes < line_bytes - 1)
            line[bytes] = (char)c;
        bytes++;
    }
    if (bytes >= line_bytes && !*ret_wrong)
        *ret_wrong = "the line is too long; give a long value by the environment";
    line[bytes < line_bytes ? bytes : line_bytes - 1] = '\0';
    return c != EOF || bytes > 0;
}

// inih's reader, in the place of fgets(). It counts lines, which inih does not tell its handler, and finds what inih
// would pass over or misread: lines too long for it, and indented keys, which it would add to the value before.
static char *on_read(char *line, int line_bytes, void *stream)
{
    struct loader *loader = stream;
    end_line(loader);
    const char *wrong = NULL;
    if (loader->file_bytes > FILE_BYTES_MAX || !read_line(loader, line, (size_t)line_bytes, &wrong))
        return NULL;
    loader->line++;
    if (wrong) {
        begin_problem(loader, NULL);
        buffer_format(loader->problems, "%s\n", wrong);
        line[0] = '\0';
        return line;
    }
    char *from = line;
    if (loader->line == 1 && strncmp(from, "\xEF\xBB\xBF", 3) == 0)
        from += 3; // a byte order mark
    from += strspn(from, " \t\r\v\f");
    memmove(line, from, strlen(from) + 1);
    if (*line == '[')
        on_section(loader, line);
    else
        loader->pending = *line != '\0' && *line != '#' && *line != ';';
    return line;
}

static void read_file(struct loader *loader)
{
    loader->file = fopen(loader->path, "re");
    bool bad = !loader->file;
    if (loader->file) {
        // Its return value, the first line that is wrong, is known here better.
        (void)ini_parse_stream(on_read, loader, on_key, loader);
        end_line(loader);
        bad = ferror(loader->file) != 0;
    }
    if (bad) {
        loader->problem_count++;
        buffer_format(loader->problems, "%s: cannot be read: %s\n", loader->path, strerror(errno));
    }
    if (loader->file)
        (void)fclose(loader->file);
    loader->file = NULL;
}

// [waiting-room] listen is ONSALE_WAITING_ROOM_LISTEN.
static void variable_of(const struct config_key *key, const char *suffix, char ret[static VARIABLE_BYTES_MAX])
{
    int bytes = snprintf(ret, VARIABLE_BYTES_MAX, "ONSALE_%s_%s%s", key->section, key->name, suffix);
    assert(bytes > 0 && bytes < VARIABLE_BYTES_MAX);
    for (char *at = ret; *at; at++) {
        if (*at == '-')
            *at = '_';
        else if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
    }
}

// Takes a key's value from the file that a variable names, without the line's end that editors leave there.
static void read_secret(struct loader *loader, struct slot *slot, const char *path, const char *variable)
{
    const struct config_key *key = slot->key;
    FILE *file = fopen(path, "re");
    char *text = malloc(SECRET_BYTES_MAX + 1);
    if (!text)
        loader->out_of_memory = true;
    size_t bytes = file && text ? fread(text, 1, SECRET_BYTES_MAX + 1, file) : 0;
    if (text && (!file || ferror(file))) {
        begin_problem(loader, variable);
        buffer_format(loader->problems, "[%s] %s: cannot read ", key->section, key->name);
        buffer_json_string(loader->problems, path);
        buffer_format(loader->problems, ": %s\n", strerror(errno));
    } else if (text && (bytes > SECRET_BYTES_MAX || memchr(text, '\0', bytes))) {
        begin_problem(loader, variable);
        buffer_format(loader->problems, "[%s] %s: the file is no text of at most %d bytes\n", key->section, key->name,
                      SECRET_BYTES_MAX);
    } else if (text) {
        if (bytes > 0 && text[bytes - 1] == '\n')
            bytes--;
        if (bytes > 0 && text[bytes - 1] == '\r')
            bytes--;
        text[bytes] = '\0';
        fill_slot(loader, slot, text, variable);
        explicit_bzero(text, bytes);
    }
    free(text);
    if (file)
        (void)fclose(file);
}

static void read_environment(struct loader *loader, struct slot *slot)
{
    char variable[VARIABLE_BYTES_MAX], variable_file[VARIABLE_BYTES_MAX];
    variable_of(slot->key, "", variable);
    variable_of(slot->key, "_FILE", variable_file);
    const char *text = getenv(variable), *path = getenv(variable_file);
    if (text && path) {
        begin_problem(loader, variable_file);
        buffer_format(loader->problems, "[%s] %s: %s is there too; leave one of them\n", slot->key->section,
                      slot->key->name, variable);
    } else if (text) {
        fill_slot(loader, slot, text, variable);
    } else if (path) {
        read_secret(loader, slot, path, variable_file);
    }
}

static bool is_variable(const struct loader *loader, const char *name)
{
    char variable[VARIABLE_BYTES_MAX];
    for (size_t i = 0; i < loader->slot_count; i++) {
        variable_of(loader->slots[i].key, "", variable);
        if (strcmp(name, variable) == 0)
            return true;
        variable_of(loader->slots[i].key, "_FILE", variable);
        if (strcmp(name, variable) == 0)
            return true;
    }
    return false;
}

// "ONSALE_MYSQL_PASWORD_FILE" in the section "mysql" is the key "pasword". False: it begins otherwise.
static bool read_variable(const char *name, const char *section, char ret_key[static VARIABLE_BYTES_MAX])
{
    char prefix[VARIABLE_BYTES_MAX];
    variable_of(&(struct config_key){.section = section, .name = ""}, "", prefix);
    size_t prefix_bytes = strlen(prefix);
    if (strncmp(name, prefix, prefix_bytes) != 0)
        return false;
    (void)snprintf(ret_key, VARIABLE_BYTES_MAX, "%s", name + prefix_bytes);
    size_t bytes = strlen(ret_key);
    if (bytes > 5 && strcmp(ret_key + bytes - 5, "_FILE") == 0)
        ret_key[bytes - 5] = '\0';
    for (char *at = ret_key; *at; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    return true;
}

// A variable that begins as those of a section that is judged, and is no key of it, is most likely misspelt: what it was to set would
// stay as it is, and nobody would know.
static void report_unknown_variables(struct loader *loader)
{
    for (char **at = environ; at && *at; at++) {
        char name[VARIABLE_BYTES_MAX], key[VARIABLE_BYTES_MAX];
        size_t bytes = strcspn(*at, "=");
        (void)snprintf(name, sizeof name, "%.*s", bytes < sizeof name ? (int)bytes : (int)sizeof name - 1, *at);
        if (strncmp(name, "ONSALE_", 7) != 0 || is_variable(loader, name))
            continue;
        for (size_t i = 0; i < SECTION_COUNT; i++)
            if (is_judged_section(loader, sections[i].name) && read_variable(name, sections[i].name, key))
                report_unknown_key(loader, name, sections[i].name, key);
    }
}

static void loader_done(struct loader *loader)
{
    for (size_t i = 0; i < loader->slot_count; i++) {
        if (loader->slots[i].text)
            explicit_bzero(loader->slots[i].text, strlen(loader->slots[i].text));
        free(loader->slots[i].text);
    }
    free(loader->slots);
}

// One slot for each key: the common ones, the table's, and the two of the program's own section, which come last because
// they win.
static int loader_init(struct loader *loader, const struct config_table *table, const char *path,
                       struct buffer *problems)
{
    *loader = (struct loader){.table = table, .path = path, .problems = problems};
    size_t count = config_common_key_count + table->key_count + 2;
    loader->slots = calloc(count, sizeof *loader->slots);
    if (!loader->slots)
        return ERROR_MEMORY;
    loader->user = (struct config_key){.section = table->program,
                                       .name = "mysql_user",
                                       .type = CONFIG_STRING,
                                       .offset = offsetof(struct common_config, mysql_user)};
    loader->password = (struct config_key){.section = table->program,
                                           .name = "mysql_password",
                                           .type = CONFIG_STRING,
                                           .offset = offsetof(struct common_config, mysql_password),
                                           .secret = true};
    for (size_t i = 0; i < config_common_key_count; i++)
        loader->slots[loader->slot_count++].key = &config_common_keys[i];
    for (size_t i = 0; i < table->key_count; i++)
        loader->slots[loader->slot_count++].key = &table->keys[i];
    loader->slots[loader->slot_count++].key = &loader->user;
    loader->slots[loader->slot_count++].key = &loader->password;
    return 0;
}

// Fills all slots. A key without a value gets its default, but for the two of the program's own section.
static int gather(struct loader *loader)
{
    if (loader->path)
        read_file(loader);
    for (size_t i = 0; i < loader->slot_count; i++)
        read_environment(loader, &loader->slots[i]);
    report_unknown_variables(loader);
    if (loader->problem_count > 0)
        return ERROR_INVALID;
    for (size_t i = 0; i < loader->slot_count; i++) {
        struct slot *slot = &loader->slots[i];
        if (slot->text || !slot->key->default_text)
            continue;
        int error = config_value_parse(slot->key, slot->key->default_text, &slot->value);
        assert(error == 0); // a default that its own key does not allow is a mistake in the table
        (void)error;
        slot->text = strdup(slot->key->default_text);
        if (!slot->text)
            return ERROR_MEMORY;
    }
    return loader->out_of_memory ? ERROR_MEMORY : 0;
}

// Puts a slot's value into the program's structure. A string changes its owner.
static void apply(struct slot *slot, void *config)
{
    void *field = (char *)config + slot->key->offset;
    switch (slot->key->type) {
    case CONFIG_STRING:
    case CONFIG_ADDRESS:
        free(*(char **)field);
        *(char **)field = slot->text;
        slot->text = NULL;
        break;
    case CONFIG_INT:
    case CONFIG_CHOICE:
        *(int64_t *)field = slot->value.number;
        break;
    case CONFIG_BOOL:
        *(bool *)field = slot->value.truth;
        break;
    case CONFIG_RATE:
        *(struct config_rate *)field = slot->value.rate;
        break;
    }
}

static int load(const struct config_table *table, const char *path, struct buffer *problems, bool only_reloadable)
{
    struct loader loader;
    int error = loader_init(&loader, table, path, problems);
    if (error == 0)
        error = gather(&loader);
    for (size_t i = 0; error == 0 && i < loader.slot_count; i++)
        if (loader.slots[i].text && (loader.slots[i].key->reloadable || !only_reloadable))
            apply(&loader.slots[i], table->config);
    loader_done(&loader);
    return error;
}

int config_load(const struct config_table *table, const char *path, struct buffer *problems)
{
    int result = load(table, path, problems, false);
    if (result)
        return result;
    int common = config_check_common(table->config, problems);
    int own = table->check ? table->check(table->config, problems) : 0;
    result = common ? common : own;
    if (result)
        config_done(table);
    return result;
}

int config_reload(const struct config_table *table, const char *path, struct buffer *problems)
{
    return load(table, path, problems, true);
}

static void free_strings(const struct config_key *keys, size_t count, void *config)
{
    for (size_t i = 0; i < count; i++) {
        if (keys[i].type != CONFIG_STRING && keys[i].type != CONFIG_ADDRESS)
            continue;
        char **field = (char **)(void *)((char *)config + keys[i].offset);
        free(*field);
        *field = NULL;
    }
}

void config_done(const struct config_table *table)
{
    free_strings(config_common_keys, config_common_key_count, table->config);
    free_strings(table->keys, table->key_count, table->config);
}

const char *config_find(const char *given)
{
    static const char *const places[] = {"./var/onsale.ini", "/etc/onsale/onsale.ini"};
    if (given)
        return given;
    const char *named = getenv("ONSALE_CONFIG");
    if (named && *named)
        return named;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i], F_OK) == 0)
            return places[i];
    return NULL;
}
