// SPDX-License-Identifier: Apache-2.0
// onsale audit: a line for each check, and what breaks it.
#include <inttypes.h>

#include "admin/audit.h"
#include "admin/commands.h"
#include "common/buffer.h"

#define READ_TIMEOUT_SECONDS 600 // a million arrivals are read more than once

static int report_json(const struct context *context, const struct audit *audit, const char *slug, bool ok)
{
    json_t *checks = json_array();
    for (int i = 0; i < AUDIT_COUNT; i++) {
        const struct audit_check *check = &audit->checks[i];
        json_t *violations = json_copy(check->samples);
        uint64_t more = check->violation_count - json_array_size(check->samples);
        if (more) {
            char text[64];
            snprintf(text, sizeof(text), "and %" PRIu64 " more", more);
            json_array_append_new(violations, json_string(text));
        }
        json_array_append_new(checks, json_pack("{s:i, s:s, s:b, s:o}", "n", check->n, "name", check->name, "ok",
                                                (int)(check->violation_count == 0), "violations", violations));
    }
    return context_print_json(context, json_pack("{s:s, s:b, s:o}", "event", slug, "ok", (int)ok, "checks", checks));
}

static int report_text(const struct context *context, const struct audit *audit)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    for (int i = 0; i < AUDIT_COUNT; i++) {
        const struct audit_check *check = &audit->checks[i];
        buffer_format(&text, "%d  %-6s  %s\n", check->n, check->violation_count ? "BROKEN" : "holds", check->name);
        for (size_t s = 0; s < json_array_size(check->samples); s++)
            buffer_format(&text, "             %s\n", json_string_value(json_array_get(check->samples, s)));
        if (check->violation_count > json_array_size(check->samples))
            buffer_format(&text, "             and %" PRIu64 " more\n",
                          check->violation_count - json_array_size(check->samples));
    }
    return context_print_text(context, &text);
}

int command_audit(struct context *context)
{
    const char *slug = context->arguments[0];
    const struct db_options options = {
        .config = &context->config->common, .program = "onsale", .io_timeout_seconds = READ_TIMEOUT_SECONDS};
    int status = context_connect(context, &options);
    if (status != EXIT_DONE)
        return status;
    struct audit audit;
    int r = audit_run(&audit, context->db, slug);
    if (r == ERROR_NOT_FOUND) {
        status = context_no_event(context, slug);
    } else if (r < 0) {
        status = context_db_failed(context, r, "audit");
    } else {
        bool ok = true;
        for (int i = 0; i < AUDIT_COUNT; i++)
            ok = ok && audit.checks[i].violation_count == 0;
        status = context->json ? report_json(context, &audit, slug, ok) : report_text(context, &audit);
        if (status == EXIT_DONE && !ok)
            status = EXIT_FAILED;
    }
    audit_done(&audit);
    return status;
}
