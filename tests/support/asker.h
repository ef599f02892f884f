/* support/asker - an app developer's request for a test: sent, and its answer kept whole. */
#ifndef ASKER_H
#define ASKER_H

#include <stdio.h>
#include <string.h>

#include <lpd/io/client.h>

struct asker {
	struct lp_scope *scope;		/* closing it is the client's leaving */
	struct lp_call *call;
	struct lp_url url;
	struct lp_buf body;
	int status;
	bool done;			/* answered or failed */
	enum lp_code code;		/* LP_OK, or how the call failed */
	bool lazy;			/* reads nothing */
	char request_id[80], retry_after[16], trace[600], type[64];
};

static inline void asker_header(struct asker *a, char *to, size_t cap, const char *name)
{
	lp_span_copy(to, cap, lp_headers_find(lp_call_headers(a->call), name));
}

static inline void asker_event(void *self)
{
	struct asker *a = self;
	struct lp_span bytes;

	if (lp_call_status(a->call) && !a->status) {
		a->status = lp_call_status(a->call);
		asker_header(a, a->request_id, sizeof(a->request_id), "x-request-id");
		asker_header(a, a->retry_after, sizeof(a->retry_after), "retry-after");
		asker_header(a, a->trace, sizeof(a->trace), "lp-trace");
		asker_header(a, a->type, sizeof(a->type), "content-type");
	}
	while (!a->lazy && (bytes = lp_call_read(a->call)).len) {
		lp_buf_add_span(&a->body, bytes);
		lp_call_consume(a->call, bytes.len);
	}
	if (lp_call_state(a->call) == LP_CALL_FAILED)
		a->code = lp_call_err(a->call)->code;
	a->done = lp_call_state(a->call) == LP_CALL_DONE || lp_call_state(a->call) == LP_CALL_FAILED;
}

static inline void asker_close(void *arg)
{
	struct asker *a = arg;

	lp_buf_clear(&a->body);
}

struct asker_want {
	const char *method, *path, *type, *body;	/* method NULL: POST, or GET without a body */
	size_t body_len;				/* 0: of the text */
	struct lp_header headers[4];
};

static inline void ask(struct asker *a, struct lp_scope *scope, struct lp_client *client, const char *base,
		       const struct asker_want *want)
{
	struct lp_header headers[5];
	struct lp_call_want call = { .url = &a->url, .headers = headers };
	struct lp_err e;

	memset(a, 0, sizeof(*a));
	a->scope = lp_scope_open(scope, "asker");
	lp_defer(a->scope, asker_close, a);
	if (lp_url_parse(a->scope, &a->url, lp_span(lp_fmt(a->scope, "%s%s", base, want->path)), &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
	call.method = want->method ? want->method : want->body ? "POST" : "GET";
	if (want->body) {
		headers[call.n_headers++] = (struct lp_header){ LP_SPAN("content-type"),
						lp_span(want->type ? want->type : "application/json"), false };
		call.body = lp_span_of(want->body, want->body_len ? want->body_len : strlen(want->body));
	}
	for (int i = 0; i < 4 && want->headers[i].name.len; i++)
		headers[call.n_headers++] = want->headers[i];
	a->call = lp_call_start(a->scope, client, &call, asker_event, a);
}

static inline void asker_leave(struct asker *a)
{
	lp_scope_close(&a->scope);
}

static inline const char *asker_text(struct asker *a)
{
	return lp_buf_text(&a->body);
}

#endif
