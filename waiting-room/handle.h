// SPDX-License-Identifier: Apache-2.0
// The handlers that the router calls. The event exists, the method is allowed, and the request is not another site's.
#ifndef WAITING_ROOM_HANDLE_H
#define WAITING_ROOM_HANDLE_H

#include "waiting-room/http.h"
#include "waiting-room/page_files.h"
#include "waiting-room/page_render.h"
#include "waiting-room/problem.h"
#include "waiting-room/room_loop.h"

struct visit;

// handle_event.c: the public document.
void handle_event(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);

// handle_seats.c: the halls and which seats are taken.
void handle_seats(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);

// handle_line.c: one's own place.
void handle_line_get(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void handle_line_join(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void handle_line_leave(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);

// handle_order.c: one's own order.
void handle_order_get(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void handle_order_put(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void handle_order_take_back(struct http_exchange *exchange, const struct http_request *request,
                            struct event_view *view);
void handle_order_more_time(struct http_exchange *exchange, const struct http_request *request,
                            struct event_view *view);

// handle_payment.c: paying for what is held.
void handle_payment(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);

// handle_card.c: leaving a card on the provider's page.
void handle_card(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);

// handle_webhook.c: what the payment provider tells.
void handle_webhook(struct http_exchange *exchange, const struct http_request *request);
void handle_webhook_register_metrics(void); // once, before threads start

// handle_page.c: the page, its forms, its files.
void handle_page(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void handle_page_join(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void handle_page_leave(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
// handle_page_order.c: the form to order with, change the order, or take it back.
void handle_page_order(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void handle_page_more_time(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void handle_page_pay(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void handle_page_card(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
// Answers with a page, and ends the visit. `cookie` may be empty.
void handle_page_respond(struct visit *visit, const struct buffer *html, const struct buffer *cookie);
enum page_payment handle_page_payment(const struct room_config *config);
// handle_receipt.c: the ticket to show at the door, and the keys to check it with.
void handle_receipt(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void handle_jwks(struct http_exchange *exchange);
// The same for somebody who looks at it: no such event, or not read yet (then retry_after_seconds is not 0).
void handle_page_problem(struct http_exchange *exchange, const struct problem *problem, int64_t retry_after_seconds);
void handle_page_file(struct http_exchange *exchange, const struct http_request *request, enum page_file_name name);

#endif
