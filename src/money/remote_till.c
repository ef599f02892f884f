#include <lpd/money/remote_till.h>

#include <string.h>

#include <lpd/base/hex.h>
#include <lpd/base/json.h>
#include <lpd/base/list.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>

#define ANSWER_MAX (256 * 1024)
#define SESSIONS 10000

/* One orchestrator's work; part is who is being answered now, or NULL when he has left. */
struct session {
	struct lp_remote_till *remote;
	struct lp_list waiting;		/* parts */
	struct part *part;
	struct lp_scope *call;		/* NULL: nobody is asked */
	struct lp_fetch *fetch;
	struct lp_ready next;
	struct lp_buf state, sig, segment;	/* base64 as they came */
};

struct part {
	struct lp_link link;
	struct session *session;
	struct lp_outlay *outlay;
};

struct lp_remote_till {
	struct lp_remote_till_want with;
	struct lp_scope *scope;
	struct lp_till *till;
	struct lp_map *sessions;
};

static struct session *find(const struct lp_remote_till *remote, const struct lp_sender_key *key)
{
	char bytes[LP_SENDER_KEY_MAX];

	return key->model.len > LP_SENDER_MODEL_MAX ? NULL : lp_map_find(remote->sessions, lp_sender_key_bytes(bytes, key));
}

/* ---- the question ---- */

/* Behind a zero byte stands what tells sessions apart that the network has one name for. */
static struct lp_span model_of(const struct lp_till_want *want)
{
	struct lp_span model = want->to.model;

	return lp_span_cut(&model, '\0');
}

static void add_text(struct lp_buf *to, const char *name, struct lp_span text)
{
	lp_buf_fmt(to, ",\"%s\":", name);
	lp_json_write_str(to, text);
}

static void write_question(struct lp_buf *to, const struct session *s, const struct lp_till_want *want)
{
	struct lp_buf info = { 0 }, manifest = { 0 };

	lp_b64_write(&info, want->info);
	lp_buf_fmt(&manifest, "%u_%.*s", want->to.capability, LP_ARG(model_of(want)));
	lp_buf_fmt(to, "{\"inPixels\":%llu", (unsigned long long)want->units);
	add_text(to, "ManifestID", lp_buf_span(&manifest));
	add_text(to, "orchestrator", lp_buf_span(&info));
	if (s->state.len)
		lp_buf_fmt(to, ",\"state\":{\"State\":\"%.*s\",\"Sig\":\"%.*s\"}", LP_ARG(lp_buf_span(&s->state)),
			   LP_ARG(lp_buf_span(&s->sig)));
	lp_buf_add_char(to, '}');
	lp_buf_clear(&info);
	lp_buf_clear(&manifest);
}

/* ---- the answer ---- */

static void keep(struct lp_buf *to, struct lp_span text)
{
	lp_buf_reset(to);
	lp_buf_add_span(to, text);
}

static bool is_base64(struct lp_scope *scope, struct lp_span text)
{
	struct lp_span bytes;

	return text.len > 0 && lp_b64_read_dup(scope, &bytes, text);
}

/* What the signer says is looked at before it is passed on: it pays from the account that it proved, or not at all. */
static enum lp_code read_payment(struct session *s, struct lp_payment *out, struct lp_span body, struct lp_span *header,
				 struct lp_err *e)
{
	json_t *json;
	const json_t *state;
	struct lp_span segment;

	if (lp_json_parse(s->call, &json, body, NULL) != LP_OK || !json_is_object(json))
		return lp_fail(e, LP_UNAVAILABLE, "the remote signer's answer is no JSON object");
	state = lp_json_get(json, "state");
	segment = lp_json_str(json, "segCreds");
	*header = lp_json_str(json, "payment");
	if (!json_is_object(state) || !is_base64(s->call, lp_json_str(state, "State")) ||
	    !is_base64(s->call, lp_json_str(state, "Sig")) || !is_base64(s->call, segment) ||
	    !is_base64(s->call, *header) || lp_payment_read(s->call, out, *header, NULL) != LP_OK)
		return lp_fail(e, LP_UNAVAILABLE, "the remote signer's answer is no payment");
	if (!lp_address_eq(out->sender, s->remote->with.account))
		return lp_fail(e, LP_UNAVAILABLE, "the remote signer pays from an account that is not its own");
	keep(&s->state, lp_json_str(state, "State"));
	keep(&s->sig, lp_json_str(state, "Sig"));
	keep(&s->segment, segment);
	return LP_OK;
}

static enum lp_code refused(int status, struct lp_err *e)
{
	if (status == 480)
		return lp_fail(e, LP_PARAMS_EXPIRED, "the remote signer wants other ticket parameters");
	if (status == 481)
		return lp_fail(e, LP_PRICE, "the price is above what the remote signer allows");
	return lp_fail(e, LP_UNAVAILABLE, "the remote signer answers %d", status);
}

static enum lp_code take(struct session *s, struct lp_payment *payment, struct lp_span *header, struct lp_err *e)
{
	struct lp_span body;
	struct lp_err why;
	int status;

	*payment = (struct lp_payment){ .sender = s->remote->with.account };
	*header = (struct lp_span){ NULL, 0 };
	if (lp_fetch_result(s->fetch, &status, &body, &why) != LP_OK)
		return lp_fail(e, LP_UNAVAILABLE, "the remote signer does not answer: %s", lp_err_words(&why));
	if (status == 482)
		return LP_OK;
	return status == 200 ? read_payment(s, payment, body, header, e) : refused(status, e);
}

/* Credit is enough: who pays is said, and at what price, without a ticket. */
static struct lp_span bare_header(struct lp_scope *scope, struct lp_payment *payment, const struct lp_till_want *want)
{
	struct lp_buf header = { 0 };
	struct lp_span copy;

	payment->has_price = true;
	payment->price_per_unit = want->offer->price_per_unit;
	payment->units = want->offer->units;
	payment->capability = want->offer->capability;
	payment->constraint = want->offer->constraint;
	lp_payment_write(&header, payment);
	copy = lp_span_dup(scope, lp_buf_span(&header));
	lp_buf_clear(&header);
	return copy;
}

static void paid(struct part *part, struct lp_payment *payment, struct lp_span header)
{
	const struct lp_till_want *want = lp_outlay_want(part->outlay);
	struct lp_scope *scope = lp_outlay_scope(part->outlay);
	struct lp_outlay_paid is = { .tickets = (uint32_t)payment->n, .face_value = payment->params.face_value };
	struct lp_price price;
	struct lp_amount ev;

	if (lp_price_of_wire(&price, want->offer->price_per_unit, want->offer->units, NULL) == LP_OK &&
	    !lp_price_fee(&is.fee, price, want->units, LP_UP))
		is.fee = LP_AMOUNT_ZERO;
	if (payment->n && lp_ticket_ev(&ev, payment->params.face_value, payment->params.win_prob, LP_DOWN) &&
	    !lp_amount_mul(&is.value, ev, payment->n))
		is.value = LP_AMOUNT_ZERO;
	is.header = header.len ? lp_span_dup(scope, header) : bare_header(scope, payment, want);
	lp_outlay_paid(part->outlay, &is);
}

static void on_answer(void *self)
{
	struct session *s = self;
	struct part *part = s->part;
	struct lp_payment payment;
	struct lp_span header;
	struct lp_err e;
	enum lp_code code = take(s, &payment, &header, &e);

	s->part = NULL;
	if (part) {
		part->session = NULL;
		if (code == LP_OK)
			paid(part, &payment, header);
		else
			lp_outlay_failed(part->outlay, &e);
	}
	s->fetch = NULL;
	lp_scope_close(&s->call);
	lp_ready(s->remote->with.loop, &s->next);
}

static void next(void *self)
{
	struct session *s = self;
	struct lp_remote_till *remote = s->remote;
	struct lp_buf body = { 0 };

	if (s->call)
		return;
	lp_list_each(&s->waiting, part, struct part, link) {
		lp_link_out(&part->link);
		s->part = part;
		break;
	}
	if (!s->part)
		return;
	s->call = lp_scope_open(remote->scope, "call of a remote signer");
	write_question(&body, s, lp_outlay_want(s->part->outlay));
	const struct lp_fetch_want want = {
		.method = "POST",
		.url = lp_span(lp_fmt(s->call, "%.*s/generate-live-payment", LP_ARG(remote->with.url))),
		.headers = remote->with.headers,
		.n_headers = remote->with.n_headers,
		.body = lp_buf_span(&body),
		.limit = ANSWER_MAX,
		.total_time = remote->with.timeout ? remote->with.timeout : 10 * LP_SEC,
	};

	s->fetch = lp_fetch_start(s->call, remote->with.fetcher, &want, on_answer, s);
	lp_buf_clear(&body);
}

/* ---- the till ---- */

static struct session *open_session(struct lp_remote_till *remote, const struct lp_sender_key *key)
{
	struct session *s = find(remote, key);
	char bytes[LP_SENDER_KEY_MAX];

	if (s || key->model.len > LP_SENDER_MODEL_MAX || lp_map_count(remote->sessions) >= SESSIONS)
		return s;
	s = lp_mem_zeroed(1, sizeof *s);
	s->remote = remote;
	s->next.run = next;
	s->next.self = s;
	lp_list_init(&s->waiting);
	lp_map_put(remote->sessions, lp_sender_key_bytes(bytes, key), s);
	return s;
}

static void remote_pay(void *self, struct lp_outlay *outlay, const struct lp_till_want *want)
{
	struct lp_remote_till *remote = self;
	struct session *s = want->offer ? open_session(remote, &want->to) : NULL;
	struct part *part = lp_new(lp_outlay_scope(outlay), struct part);
	struct lp_price price;
	struct lp_err e = { 0 };

	part->outlay = outlay;
	lp_outlay_keep(outlay, part);
	if (!s)
		lp_fail(&e, LP_PARAMS_EXPIRED, "nothing is known of this orchestrator's terms");
	else if (lp_price_of_wire(&price, want->offer->price_per_unit, want->offer->units, &e) == LP_OK && want->max &&
		 lp_price_cmp(price, *want->max) > 0)
		lp_fail(&e, LP_PRICE, "the orchestrator's price is above the highest that is allowed");
	if (e.code != LP_OK) {
		lp_outlay_failed(outlay, &e);
		return;
	}
	part->session = s;
	lp_list_add(&s->waiting, &part->link);
	lp_ready(remote->with.loop, &s->next);
}

/* What was not used stays with the orchestrator: the signer is not told.  Who leaves while it is asked loses his
 * payment; the state that comes with it is kept. */
static void remote_settle(void *self, struct lp_outlay *outlay, const struct lp_outlay_end *end)
{
	struct part *part = lp_outlay_part(outlay);

	(void)self;
	(void)end;
	lp_link_out(&part->link);
	if (part->session && part->session->part == part)
		part->session->part = NULL;
}

/* Parameters may be used as long as the signer takes them. */
static bool remote_stale(const void *self, const struct lp_sender_key *to)
{
	return !find(self, to);
}

static void session_free(void *arg)
{
	struct session *s = arg;

	lp_unready(&s->next);
	lp_scope_close(&s->call);
	lp_buf_clear(&s->state);
	lp_buf_clear(&s->sig);
	lp_buf_clear(&s->segment);
	lp_mem_free(s);
}

static void remote_close(void *arg)
{
	struct lp_remote_till *remote = arg;

	lp_map_free_all(&remote->sessions, session_free);
}

struct lp_remote_till *lp_remote_till_open(struct lp_scope *parent, const struct lp_remote_till_want *want)
{
	static const struct lp_till_ops ops = { remote_pay, remote_settle, remote_stale };
	struct lp_scope *scope = lp_scope_open(parent, "remote till");
	struct lp_remote_till *remote = lp_new(scope, struct lp_remote_till);

	remote->with = *want;
	remote->scope = scope;
	remote->sessions = lp_map_new();
	lp_defer(scope, remote_close, remote);
	remote->till = lp_till_new(scope, want->loop, &ops, remote);
	return remote;
}

struct lp_till *lp_remote_till(struct lp_remote_till *remote)
{
	return remote->till;
}

struct lp_span lp_remote_till_segment(const struct lp_remote_till *remote, const struct lp_sender_key *key)
{
	const struct session *s = find(remote, key);

	return s ? lp_buf_span(&s->segment) : (struct lp_span){ NULL, 0 };
}
