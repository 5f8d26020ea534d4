// SPDX-License-Identifier: Apache-2.0
// The commands, in the order in which help lists them.
#include "admin/command.h"

#include "admin/commands.h"

#define LIST_OPTIONS                                                           \
    {                                                                          \
        {"limit", "N", "at most so many (100)"},                               \
        {                                                                      \
            "after", "NEXT", "go on after this one: `next` of the list before" \
        }                                                                      \
    }

const struct command command_table[] = {
    {
        .name = "migrate",
        .arguments = "",
        .summary = "brings the database to this program's version",
        .help = "Makes the database if it is missing, applies the migrations that it lacks, one after the other, and "
                "says from\n"
                "which version to which. A database that is newer than this program is left alone.\n"
                "With --users the MySQL users named in the configuration ([waiting-room] mysql_user, …) are made, "
                "their passwords\n"
                "set, and each gets just the rights that its program needs.",
        .examples = "  onsale migrate\n  onsale migrate --users",
        .options = {{"users", NULL, "also make the programs' MySQL users and set their rights"}},
        .run = command_migrate,
    },
    {
        .name = "event apply",
        .arguments = "FILE",
        .summary = "makes an event from a file, or changes it to what the file says",
        .help = "Prints what changes, field by field. `pace` and `opens_at` act only when they changed in the file. "
                "What would break\n"
                "held or sold places is refused. FILE may be - for standard input.",
        .examples = "  onsale event apply spring-gala.json --dry-run\n  onsale event apply spring-gala.json",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"dry-run", NULL, "only say what would change"}},
        .run = command_event_apply,
    },
    {
        .name = "event list",
        .arguments = "",
        .summary = "lists all events",
        .examples = "  onsale event list\n  onsale event list --json --limit 10",
        .options = LIST_OPTIONS,
        .run = command_event_list,
    },
    {
        .name = "event show",
        .arguments = "SLUG",
        .summary = "shows an event: times, limits, tiers, prices",
        .examples = "  onsale event show spring-gala\n  onsale event show spring-gala --json",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_event_show,
    },
    {
        .name = "event refund",
        .arguments = "SLUG",
        .summary = "the show is off: cancels every booking of a closed event and gives the money back",
        .help = "In batches, each of which stands once it is done: run it again after whatever went wrong, and it goes "
                "on with what is\n"
                "left, and tells how the refunds stand. Visitors are told at once, their money follows within minutes. "
                "What is being paid\n"
                "just now cannot be cancelled: --wait cancels it when it is through, and waits until all money is back "
                "(exit status 1\n"
                "if it is not by then). What was paid at a desk is counted; that money is yours to give back.",
        .examples = "  onsale close spring-gala\n  onsale event refund spring-gala --dry-run\n"
                    "  onsale event refund spring-gala --wait 600",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"dry-run", NULL, "only say what would be cancelled"},
                    {"wait", "SECONDS", "wait at most so long until all money is back"}},
        .run = command_event_refund,
    },
    {
        .name = "lobby",
        .arguments = "SLUG",
        .summary = "opens the lobby: people may gather before the opening",
        .examples = "  onsale lobby spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "open",
        .arguments = "SLUG",
        .summary = "opens the event: the line moves at the pace",
        .help = "Also opens again what was closed or sold out. The lobby's visitors come first.",
        .examples = "  onsale open spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "close",
        .arguments = "SLUG",
        .summary = "closes the event: nobody joins, nobody more is let in",
        .examples = "  onsale close spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "pause",
        .arguments = "SLUG",
        .summary = "nobody more is let in until `resume`; joining goes on",
        .examples = "  onsale pause spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "resume",
        .arguments = "SLUG",
        .summary = "ends a pause",
        .examples = "  onsale resume spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "stop",
        .arguments = "SLUG",
        .summary = "an emergency: no joins, nobody let in, the clocks of turns stand still",
        .examples = "  onsale stop spring-gala --reason \"wrong prices, mending them\"",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"reason", "TEXT", "why; it goes into the event's log (needed)"}},
        .run = command_lifecycle,
    },
    {
        .name = "start",
        .arguments = "SLUG",
        .summary = "ends a stop: the event goes on as it was, and so do the clocks",
        .examples = "  onsale start spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "say",
        .arguments = "SLUG TEXT",
        .summary = "puts a notice on every page of the event; an empty text takes it away",
        .examples = "  onsale say spring-gala \"Doors open at 18:30.\"\n  onsale say spring-gala \"\"",
        .arguments_min = 2,
        .arguments_max = 2,
        .run = command_say,
    },
    {
        .name = "rate",
        .arguments = "SLUG [PACE]",
        .summary = "shows or dials the pace at which visitors are let in",
        .help = "PACE is COUNT/s, COUNT/min or COUNT/h (at most 100000 a second), auto, auto:COUNT/min, or 0, which "
                "lets nobody in.\n"
                "The pace is kept in MySQL, so it stands even while admission is away; the answer says whether "
                "admission has\n"
                "acted on it and after how many milliseconds.",
        .examples =
            "  onsale rate spring-gala\n  onsale rate spring-gala 10/s\n  onsale rate spring-gala auto:600/min --json",
        .arguments_min = 1,
        .arguments_max = 2,
        .run = command_rate,
    },
    {
        .name = "status",
        .arguments = "[SLUG]",
        .summary = "shows one event now, or a table of all",
        .examples = "  onsale status\n  onsale status spring-gala\n  onsale status spring-gala --json",
        .arguments_max = 1,
        .options = LIST_OPTIONS,
        .run = command_status,
    },
    {
        .name = "watch",
        .arguments = "SLUG",
        .summary = "draws an event's status anew every second, until Ctrl-C",
        .help = "With --json a line each second.",
        .examples = "  onsale watch spring-gala\n  onsale watch spring-gala --json --count 60",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"count", "N", "end after so many"}},
        .run = command_watch,
    },
    {
        .name = "log",
        .arguments = "SLUG",
        .summary = "shows who did what and when, each count of the pace, and how many were let in per minute",
        .help = "With --json a line for each entry.",
        .examples = "  onsale log spring-gala\n  onsale log spring-gala --json",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_log,
    },
    {
        .name = "audit",
        .arguments = "SLUG",
        .summary = "checks what must always hold, against the database and the payment provider's list",
        .help = "A line for each check, and samples of what breaks it. Exit status 1 when something does. It may run "
                "during the sale:\n"
                "it reads one consistent snapshot, and counts what is still on its way. After the sale --settled "
                "breaks on that too.\n"
                "With [payment] provider = stripe each payment is compared with the provider's list, both ways; a "
                "provider that cannot be\n"
                "asked breaks check 6.",
        .examples = "  onsale audit spring-gala\n  onsale audit spring-gala --settled --json",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"settled", NULL, "every order must have come to its end"},
                    {"without-provider", NULL, "leave the provider's list alone"}},
        .run = command_audit,
    },
    {
        .name = "booking show",
        .arguments = "SLUG PLACE|REFERENCE",
        .summary = "every step of one visitor, with times",
        .help = "A reference may be typed as it was heard: small letters, no dash, O for 0, I or L for 1.",
        .examples = "  onsale booking show spring-gala 4211\n  onsale booking show spring-gala K7QM-4WDP --json",
        .arguments_min = 2,
        .arguments_max = 2,
        .run = command_booking_show,
    },
    {
        .name = "booking find",
        .arguments = "SLUG EMAIL",
        .summary = "all orders that were given with an e-mail address",
        .help = "Capitals and blanks around the address do not matter.",
        .examples = "  onsale booking find spring-gala ada@example.org",
        .arguments_min = 2,
        .arguments_max = 2,
        .run = command_booking_find,
    },
    {
        .name = "booking list",
        .arguments = "SLUG",
        .summary = "the door list: everybody who has places or stands by",
        .help = "With --csv all of them, as comma-separated values (RFC 4180); what a spreadsheet would run as a "
                "formula has an\n"
                "apostrophe in front.",
        .examples = "  onsale booking list spring-gala\n  onsale booking list spring-gala --csv > door.csv\n"
                    "  onsale booking list spring-gala --json --limit 1000 --after 4211",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"csv", NULL, "as CSV, all of them"},
                    {"limit", "N", "at most so many (100; with --csv all)"},
                    {"after", "PLACE", "go on after this place: `next` of the list before"}},
        .run = command_booking_list,
    },
    {
        .name = "booking cancel",
        .arguments = "SLUG PLACE|REFERENCE",
        .summary = "takes a booking back: its places go to standby or back on sale, its visitor is told",
        .help =
            "The newest booking of that place, or the one with that reference, if it is confirmed, held, declined, in "
            "standby or waits\n"
            "for a bank's question to be answered. What has a reference is best named by it: a place is whatever its "
            "visitor ordered last.\n"
            "A booking worker frees its places a moment later; an event that is sold out then sells again. What "
            "was paid through the\n"
            "provider goes back: `booking show` tells how far that is. What is being paid cannot be cancelled.",
        .examples = "  onsale booking cancel spring-gala 4211\n  onsale booking cancel spring-gala K7QM-4WDP",
        .arguments_min = 2,
        .arguments_max = 2,
        .run = command_booking_cancel,
    },
    {
        .name = "booking confirm",
        .arguments = "SLUG PLACE|REFERENCE...|-",
        .summary = "paid elsewhere: what is held is confirmed, and its visitor is told",
        .help =
            "With - they are read from standard input, one a line; empty lines and what follows a # do not count. "
            "Each is told, and\n"
            "the exit status is 0 when all are confirmed now. What is confirmed already is fine, so a list may be "
            "given again. A hold\n"
            "that has run out, what is being paid through the provider, and anything while the event is stopped, is "
            "not confirmed. Use\n"
            "the references that visitors name: a place is whatever its visitor ordered last. With a provider it "
            "is for sales at a desk:\n"
            "the money is yours then, and a later cancellation does not give it back.",
        .examples = "  onsale booking confirm spring-gala K7QM-4WDP\n"
                    "  onsale booking confirm spring-gala - < paid.txt",
        .arguments_min = 2,
        .arguments_max = 1024,
        .run = command_booking_confirm,
    },
    {
        .name = "ticket check",
        .arguments = "CODE|-",
        .summary = "what somebody shows at the door: whether it is genuine, and its booking still stands",
        .help = "CODE is what the QR code of a ticket says; with - it is read from standard input, one line. The exit "
                "status is 0 when it is\n"
                "valid, and 1 with the reason when it is forged, unknown, cancelled or, with --event, another event's. "
                "Nothing is written:\n"
                "who has come in already is not known here, so a code that is shown twice is valid twice.",
        .examples =
            "  onsale ticket check eyJhbGciOiJFUzI1NiIs... --event spring-gala\n  zbarcam --raw -1 | onsale ticket check -",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"event", "SLUG", "the event that is let in; tickets of others are refused"}},
        .run = command_ticket_check,
    },
    {
        .name = "dead list",
        .arguments = "",
        .summary = "lists the open dead letters: messages that could not be processed",
        .examples = "  onsale dead list\n  onsale dead list --json --limit 10",
        .options = LIST_OPTIONS,
        .run = command_dead_list,
    },
    {
        .name = "dead show",
        .arguments = "ID",
        .summary = "shows one dead letter: why it died, whose it was, what it said",
        .examples = "  onsale dead show 12",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_dead_show,
    },
    {
        .name = "dead retry",
        .arguments = "[ID...]",
        .summary = "sends the failed orders of dead letters to be booked again, takes payments up again",
        .help = "Refused when the letter belongs to no order, when the booking has not failed, or when the visitor has "
                "ordered again\n"
                "since. With --all such letters are skipped and counted. A payment (queue onsale.payments) is asked "
                "about at once; one\n"
                "that failed is captured if its booking is confirmed, else given back.",
        .examples = "  onsale dead retry 12 13\n  onsale dead retry --all",
        .arguments_max = 1024,
        .options = {{"all", NULL, "all that are open"}},
        .run = command_dead_retry,
    },
    {
        .name = "dead discard",
        .arguments = "ID...",
        .summary = "says that nothing is to be done about dead letters; they are kept, and no longer listed",
        .examples = "  onsale dead discard 12",
        .arguments_min = 1,
        .arguments_max = 1024,
        .run = command_dead_discard,
    },
    {
        .name = "keys list",
        .arguments = "",
        .summary = "lists the keys of the queue tokens and of the tickets, without their secrets",
        .examples = "  onsale keys list",
        .options = LIST_OPTIONS,
        .run = command_keys_list,
    },
    {
        .name = "keys rotate",
        .arguments = "",
        .summary =
            "adds a key for queue tokens and one for tickets; they sign ten minutes later, the first ones at once",
        .help =
            "Older keys of queue tokens verify until the tokens that they signed have expired, then their files are "
            "removed. Those of\n"
            "tickets are kept: a ticket is shown months later. Run it where the key directory is, and copy the "
            "directory to every\n"
            "machine with a waiting room. Without a key for tickets, tickets have no code for the door; "
            "/.well-known/jwks.json has\n"
            "their public parts.",
        .examples = "  onsale keys rotate\n  onsale keys rotate --kind ticket",
        .options = {{"kind", "KIND", "queue or ticket: only a key of that kind"}},
        .run = command_keys_rotate,
    },
    {
        .name = "help",
        .arguments = "[COMMAND]",
        .summary = "explains a command, with examples; `help config` lists the configuration's keys",
        .examples = "  onsale help\n  onsale help event apply",
        .arguments_max = 2,
        .run = command_help,
    },
    {.name = NULL},
};
