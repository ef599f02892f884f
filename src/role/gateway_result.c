/* role/gateway_result - states RELAY and FETCH: reading what an orchestrator answers.
 *
 * Three shapes (market/pipeline): JSON is relayed, events are passed on one by one, media are collected.  The
 * first two write the reply as they read; once a byte of it is out the job is committed to this try. */
#include "gateway_job.h"

#include <string.h>

#include <lpd/market/answer.h>
#include <lpd/market/refusal.h>

#define REFUSAL_MAX (16 * 1024)		/* of a refusal's text; the rest is not read */
#define MEDIA_MAX INT64_C(300000000)	/* bytes of one result, as on the network (ai-http-api 1.6) */
#define LINGER (500 * LP_MSEC)		/* for the end of a stream whose last event has come */

/* ---- refusals ---- */

static enum lp_gateway_result refused(struct lp_gateway_job *j, struct lp_err *e)
{
	struct lp_span text = lp_call_read(j->call);

	if (lp_call_state(j->call) == LP_CALL_BODY && text.len < REFUSAL_MAX)
		return LP_RESULT_MORE;
	text.len = text.len < REFUSAL_MAX ? text.len : REFUSAL_MAX;
	lp_refusal_of_orchestrator(lp_call_status(j->call), text, e);
	if (e->code == LP_OK)
		lp_fail(e, LP_BAD_PEER, "the orchestrator answered with status %d", lp_call_status(j->call));
	return LP_RESULT_FAILED;
}

/* Only JSON is a result (network-protocol 5.7); what a 200 of another kind says is the error's text. */
static enum lp_gateway_result not_json(struct lp_gateway_job *j, struct lp_err *e)
{
	struct lp_span text = lp_call_read(j->call);

	if (lp_call_state(j->call) == LP_CALL_BODY && text.len < REFUSAL_MAX)
		return LP_RESULT_MORE;
	text.len = text.len < 120 ? text.len : 120;
	lp_fail(e, LP_BAD_PEER, "the orchestrator's answer is no %s: %.*s",
		j->request->stream ? "event stream" : "JSON", LP_ARG(lp_span_trim(text)));
	return LP_RESULT_FAILED;
}

/* ---- the three shapes ---- */

static enum lp_gateway_result read_json(struct lp_gateway_job *j, struct lp_err *e)
{
	if (!j->relay) {
		struct lp_relay_want want = { .call = j->call, .ex = j->ex, .drop_nulls = true };
		struct lp_header *headers;

		want.n_headers = lp_gateway_headers(j, j->result, &headers);
		want.headers = headers;
		j->relay = lp_relay_open(j->result, &want);
	}
	switch (lp_relay_pump(j->relay, e)) {
	case LP_RELAY_MORE:
		return LP_RESULT_MORE;
	case LP_RELAY_DONE:
		j->tokens = lp_relay_tokens(j->relay);
		return LP_RESULT_WHOLE;
	case LP_RELAY_FAILED:
		break;
	}
	return LP_RESULT_FAILED;
}

/* The client has all of it and is let go.  The orchestrator's stream ends in a moment by itself; it is waited
 * for, since to cut it off would look to the other side as if the client had left. */
static enum lp_gateway_result linger(struct lp_gateway_job *j)
{
	struct lp_span rest = lp_call_read(j->call);

	if (!j->replied) {
		lp_reply_end(j->ex);
		lp_exchange_watch(j->ex, NULL, NULL);
		j->ex = NULL;
		j->replied = true;
		lp_timer_set(&j->chance, j->gw->node->loop, LINGER);
	}
	if (rest.len)
		lp_call_consume(j->call, rest.len);
	if (lp_call_state(j->call) == LP_CALL_BODY && lp_timer_is_set(&j->chance))
		return LP_RESULT_MORE;
	return LP_RESULT_WHOLE;
}

static enum lp_gateway_result read_events(struct lp_gateway_job *j, struct lp_err *e)
{
	if (j->replied)
		return linger(j);
	if (!j->stream) {
		struct lp_stream_want want = { .call = j->call, .ex = j->ex, .done = true,
					       .budget = lp_media_budget(j->gw->node->media) };
		struct lp_header *headers;

		want.n_headers = lp_gateway_headers(j, j->result, &headers);
		want.headers = headers;
		j->stream = lp_stream_open(j->result, &want);
	}
	switch (lp_stream_pump(j->stream, e)) {
	case LP_STREAM_MORE:
		return LP_RESULT_MORE;
	case LP_STREAM_LAST:
		j->tokens = lp_stream_tokens(j->stream);
		if (lp_reply_started(j->ex))
			return linger(j);
		lp_fail(e, LP_BAD_PEER, "the stream ended without an event");
		return LP_RESULT_FAILED;
	case LP_STREAM_FAILED:
		break;
	}
	/* A runner's error event: seen from here the orchestrator failed. */
	if (e->code == LP_RUNNER)
		e->code = LP_PEER_ERROR;
	return LP_RESULT_FAILED;
}

static void on_collect(void *self)
{
	struct lp_gateway_job *j = self;

	lp_task_wake(&j->task);
}

static enum lp_gateway_result read_media(struct lp_gateway_job *j, struct lp_err *e)
{
	if (!j->collect) {
		const struct lp_collect_want want = {
			.loop = j->gw->node->loop,
			.call = j->call,
			.media = j->gw->node->media,
			.id = lp_span(j->id),
			.client = j->gw->node->client,
			.base = &j->url,
			.hosts = j->gw->media_hosts,
			.n_hosts = j->gw->n_media_hosts,
			.fetch_time = LP_NEVER,		/* the job's deadline, and no stall */
			.media_limit = MEDIA_MAX,
		};

		j->collect = lp_collect_start(j->result, &want, on_collect, j);
		return LP_RESULT_MORE;
	}
	if (!lp_collect_done(j->collect))
		return lp_collect_fetching(j->collect) ? LP_RESULT_FETCH : LP_RESULT_MORE;
	*e = *lp_collect_err(j->collect);
	return e->code == LP_OK ? LP_RESULT_WHOLE : LP_RESULT_FAILED;
}

static bool type_fits(const struct lp_gateway_job *j)
{
	struct lp_span type = lp_headers_find(lp_call_headers(j->call), "content-type");

	if (j->pipeline->result == LP_RESULT_EVENTS && j->request->stream)
		return lp_media_is(type, "text/event-stream");
	return lp_span_find_icase(type, "json") >= 0;
}

static enum lp_gateway_result read_result(struct lp_gateway_job *j, struct lp_err *e)
{
	switch (j->pipeline->result) {
	case LP_RESULT_MEDIA:
		return read_media(j, e);
	case LP_RESULT_EVENTS:
		return j->request->stream ? read_events(j, e) : read_json(j, e);
	case LP_RESULT_JSON:
		return read_json(j, e);
	}
	return LP_RESULT_FAILED;
}

enum lp_gateway_result lp_gateway_read(struct lp_gateway_job *j, struct lp_err *e)
{
	enum lp_gateway_result result;

	if (lp_call_state(j->call) == LP_CALL_SENDING)
		return LP_RESULT_MORE;
	if (lp_call_status(j->call) == 0) {
		*e = *lp_call_err(j->call);
		return LP_RESULT_FAILED;
	}
	if (lp_call_status(j->call) != 200)
		return refused(j, e);
	if (!type_fits(j))
		return not_json(j, e);
	/* Only now: most jobs wait for their answer much longer than they read it. */
	if (!j->result)
		j->result = lp_scope_open(j->scope, "result");
	result = read_result(j, e);
	if (!j->answered_at && result != LP_RESULT_MORE)
		j->answered_at = lp_mono(j->gw->node->loop);
	return result;
}
