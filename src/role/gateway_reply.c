/* role/gateway_reply - state REPLY: what the client gets, and its exchange until then. */
#include "gateway_job.h"

#include <stdio.h>
#include <string.h>

/* The reply has ended: what becomes of the exchange is no longer ours. */
static void let_go(struct lp_gateway_job *j)
{
	lp_exchange_watch(j->ex, NULL, NULL);
	j->ex = NULL;
	j->replied = true;
}

void lp_gateway_on_exchange(void *self)
{
	struct lp_gateway_job *j = self;

	if (j->inlined && lp_inline_done(j->inlined)) {
		let_go(j);
		lp_task_wake(&j->task);
		return;
	}
	if (lp_exchange_gone(j->ex)) {
		j->ex = NULL;
		if (j->intake)
			lp_intake_detach(j->intake);
		/* It writes to the exchange by itself, and that is about to be closed. */
		if (j->inlined)
			lp_scope_close(&j->result);
		j->inlined = NULL;
		lp_task_abort(&j->task, LP_GONE);
		lp_task_wake(&j->task);
		return;
	}
	if (j->intake && !j->request)
		lp_intake_poke(j->intake);
	if (j->inlined)
		lp_inline_poke(j->inlined);
	lp_task_wake(&j->task);
}

/* ---- headers ---- */

/* "1 busy, 2 model" behind the words in front; nothing when nobody was passed over. */
void lp_gateway_passed_over(const struct lp_gateway_job *j, struct lp_buf *to, const char *front)
{
	for (int i = 0; i < LP_REJECTS; i++) {
		if (!j->rejected[i])
			continue;
		lp_buf_fmt(to, "%s%d %s", front, j->rejected[i], lp_reject_name((enum lp_reject)i));
		front = ", ";
	}
}

/* Who was asked and why, who was passed over, and where the time went: for Lp-Trace: 1. */
static struct lp_span trace_text(struct lp_gateway_job *j, struct lp_scope *scope)
{
	struct lp_buf text = { 0 };
	struct lp_span kept;

	lp_buf_fmt(&text, "job %s; ", j->id);
	if (j->orch.len)
		lp_buf_fmt(&text, "chose %.*s, %s of %d eligible; try %d", LP_ARG(j->orch), j->why, j->eligible,
			   j->tries);
	else
		lp_buf_add_text(&text, "chose nobody");
	lp_gateway_passed_over(j, &text, "; passed over: ");
	lp_buf_add_text(&text, "; ");
	if (lp_gateway_job_fee_words(j, &text))
		lp_buf_add_text(&text, "; ");
	lp_task_trail(&j->task, &text);
	kept = lp_span_dup(scope, lp_buf_span(&text));
	lp_buf_clear(&text);
	return kept;
}

int lp_gateway_headers(struct lp_gateway_job *j, struct lp_scope *scope, struct lp_header **out)
{
	struct lp_header *h = lp_new_array(scope, struct lp_header, LP_GATEWAY_HEADERS);
	int n = 0;

	h[n++] = (struct lp_header){ .name = LP_SPAN("x-request-id"), .value = lp_span(j->request_id) };
	if (j->trace)
		h[n++] = (struct lp_header){ .name = LP_SPAN("lp-trace"), .value = trace_text(j, scope) };
	*out = h;
	return n;
}

/* ---- replies ---- */

static void end(struct lp_gateway_job *j)
{
	lp_reply_end(j->ex);
	let_go(j);
}

static void reply_whole(struct lp_gateway_job *j, int status, struct lp_span body, const char *retry_after)
{
	struct lp_header all[LP_GATEWAY_HEADERS + 2];
	struct lp_header *own;
	int n = lp_gateway_headers(j, j->scope, &own);

	memcpy(all, own, (size_t)n * sizeof(*own));
	all[n++] = (struct lp_header){ .name = LP_SPAN("content-type"), .value = LP_SPAN("application/json") };
	if (retry_after)
		all[n++] = (struct lp_header){ .name = LP_SPAN("retry-after"), .value = lp_span(retry_after) };
	lp_reply_head(j->ex, status, (int64_t)body.len, all, n);
	lp_reply_write(j->ex, body);
	end(j);
}

static void reply_error(struct lp_gateway_job *j)
{
	struct lp_err told = j->err;
	struct lp_buf body = { 0 };
	char seconds[24];

	/* Where an orchestrator is is for our log; who asks may well ask again. */
	if (told.code == LP_CONNECT)
		lp_fail(&told, LP_NO_ORCHESTRATOR, "no orchestrator that offers the model can be reached now");

	int status = lp_code_status(told.code);

	snprintf(seconds, sizeof(seconds), "%lld",
		 j->retry_after > LP_SEC ? (long long)((j->retry_after + LP_SEC - 1) / LP_SEC) : 1);
	lp_error_json(&body, &told);
	reply_whole(j, status, lp_buf_span(&body), status == 503 || status == 429 ? seconds : NULL);
	lp_buf_clear(&body);
}

/* The reply has begun and will never be whole.  A stream of events can say so in its last one; a body whose
 * length was promised can only be cut off. */
static void reply_broken(struct lp_gateway_job *j)
{
	struct lp_buf json = { 0 }, event = { 0 };

	if (j->pipeline->result != LP_RESULT_EVENTS || !j->request->stream) {
		lp_reply_abort(j->ex, j->err.code);
		let_go(j);
		return;
	}
	lp_error_json(&json, &j->err);
	lp_buf_add_text(&event, "data: ");
	lp_buf_add_span(&event, lp_span_trim(lp_buf_span(&json)));
	lp_buf_add_text(&event, "\n\n");
	lp_reply_write(j->ex, lp_buf_span(&event));
	lp_buf_clear(&json);
	lp_buf_clear(&event);
	end(j);
}

static void on_inline(void *self)
{
	struct lp_gateway_job *j = self;

	lp_task_wake(&j->task);
}

/* The pictures are in the answer itself: it is written piece by piece out of the spools. */
static bool reply_inline(struct lp_gateway_job *j)
{
	struct lp_inline_want want = { .collect = j->collect, .ex = j->ex };
	struct lp_header *headers;

	if (!j->inlined) {
		want.n_headers = lp_gateway_headers(j, j->result, &headers);
		want.headers = headers;
		j->inlined = lp_inline_start(j->result, &want, on_inline, j);
	}
	if (!lp_inline_done(j->inlined))
		return false;
	let_go(j);
	return true;
}

static bool reply_media(struct lp_gateway_job *j)
{
	struct lp_buf body = { 0 };

	if (j->inline_media)
		return reply_inline(j);
	/* Only what a client has a link to is kept: who left, or has it in his answer, will not come for it. */
	lp_collect_keep(j->collect);
	j->gw->linger.last_link = lp_mono(j->gw->node->loop);
	lp_collect_write(j->collect, &body, j->gw->public_url);
	reply_whole(j, 200, lp_buf_span(&body), NULL);
	lp_buf_clear(&body);
	return true;
}

bool lp_gateway_reply(struct lp_gateway_job *j)
{
	if (!j->ex)
		return true;
	if (j->err.code != LP_OK) {
		if (lp_reply_started(j->ex))
			reply_broken(j);
		else
			reply_error(j);
		return true;
	}
	if (j->collect)
		return reply_media(j);
	end(j);
	return true;
}
