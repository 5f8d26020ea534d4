// SPDX-License-Identifier: Apache-2.0
// The assembler takes the files in as they are. gen/migrations.inc is made by the Makefile from what is in sql/: a line
// MIGRATION(1, 0001, line) for each, so that a new file is all that a new migration needs.
#include "admin/migrations.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>

#define MIGRATION(version, digits, name)                                            \
    __asm__(".section .rodata\n"                                                    \
            ".globl migration_" #digits "\n.hidden migration_" #digits "\n"         \
            ".globl migration_" #digits "_end\n.hidden migration_" #digits "_end\n" \
            "migration_" #digits ":\n.incbin \"sql/" #digits "_" #name ".sql\"\n"   \
            "migration_" #digits "_end:\n.byte 0\n"                                 \
            ".previous\n");                                                         \
    extern const char migration_##digits[] __attribute__((visibility("hidden")));   \
    extern const char migration_##digits##_end[] __attribute__((visibility("hidden")));
#include "migrations.inc"
#undef MIGRATION

#define MIGRATION(number, digits, title) \
    {.version = (number), .name = #title, .text = migration_##digits, .text_end = migration_##digits##_end},
const struct migration migrations[] = {
#include "migrations.inc"
};
#undef MIGRATION

const size_t migration_count = sizeof(migrations) / sizeof(migrations[0]);

const char *migration_checksum(const struct migration *migration, char text[static MIGRATION_CHECKSUM_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    size_t bytes = (size_t)(migration->text_end - migration->text);
    int done = EVP_Digest(migration->text, bytes, digest, &digest_bytes, EVP_sha256(), NULL);
    assert(done == 1 && digest_bytes == 32);
    for (unsigned i = 0; i < digest_bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}
