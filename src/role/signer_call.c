/* One call of generate-live-payment (live-and-byoc 9.2): read, weighed at the desk, authorised by the webhook, then
 * committed, written down, signed and answered, in this order.  All of it lives with the exchange: a client that
 * leaves before the commit has used nothing up; one that leaves later finds the answer when it asks again. */
#include "remote_signer_priv.h"

#include <stdio.h>
#include <string.h>

#include <lpd/base/hex.h>
#include <lpd/base/json.h>
#include <lpd/base/random.h>
#include <lpd/market/segment.h>
#include <lpd/money/account.h>
#include <lpd/pay/signer.h>

#include "signer_ask.h"

#define ASKING (5 * LP_SEC)		/* of the webhook */
#define VERDICT_MAX (64 * 1024)		/* bytes of its answer */
#define OLD (2 * LP_MIN)		/* news of the chain on which nothing more is signed */

struct call {
	struct lp_remote_signer *signer;
	struct lp_exchange *ex;
	struct lp_scope *scope;		/* the exchange's */
	struct lp_buf text, answer;
	struct lp_signer_body body;
	struct lp_signer_plan plan;
	bool planned;			/* the desk waits for the plan's end */
	struct lp_fetch *fetch;
};

static void call_close(void *arg)
{
	struct call *c = arg;

	if (c->planned)
		lp_signer_drop(c->signer->desk, &c->plan);
	c->signer->jobs--;
	lp_buf_clear(&c->text);
	lp_buf_clear(&c->answer);
}

static void refuse(struct call *c, const struct lp_signer_no *no)
{
	if (c->planned)
		lp_signer_drop(c->signer->desk, &c->plan);
	c->planned = false;
	lp_log_kv(c->signer->node->log, no->status == 500 || no->status == 503 ? LP_UNUSUAL : LP_DEBUG,
		  "signer refused", "why", no->words, NULL);
	lp_signer_refuse(c->signer, c->ex, no, c->body.info.transcoder);
}

static void fail(struct call *c, int status, const char *words)
{
	struct lp_signer_no no = { .status = status };

	lp_span_copy(no.words, sizeof(no.words), lp_span(words));
	refuse(c, &no);
}

/* ---- the answer ---- */

static void add_base64(struct lp_buf *to, const char *name, struct lp_span bytes)
{
	lp_buf_fmt(to, "\"%s\":\"", name);
	lp_b64_write(to, bytes);
	lp_buf_add_char(to, '"');
}

/* A segment's signature binds nothing but the name of the work (network-protocol 5.2): the number of the segment, 0 in
 * 32 bytes, and the hash of no bytes follow it. */
static void write_credentials(struct call *c, struct lp_buf *to)
{
	struct lp_segment segment = { .manifest_id = c->plan.manifest,
				      .has_capabilities = c->body.has_capabilities,
				      .capabilities = c->body.capabilities,
				      .auth_token = c->body.info.auth_token };
	uint8_t zeros[32] = { 0 };
	struct lp_buf message = { 0 };
	struct lp_hash none;
	struct lp_sig sig;

	lp_keccak256(none.bytes, "", 0);
	lp_buf_add_span(&message, c->plan.manifest);
	lp_buf_add(&message, zeros, sizeof(zeros));
	lp_buf_add(&message, none.bytes, sizeof(none.bytes));
	lp_account_sign_message(c->signer->node->money->account, &sig, lp_buf_span(&message));
	segment.sig = lp_span_of(sig.bytes, LP_SIG_LEN);
	lp_segment_encode(to, &segment);
	lp_buf_clear(&message);
}

static void write_answer(struct call *c, struct lp_payment *payment)
{
	const struct lp_key *key = lp_account_key(c->signer->node->money->account);
	const struct lp_price_info *price = &c->body.info.price;
	struct lp_buf *to = &c->answer, state = { 0 };
	struct lp_sig sig;

	payment->has_price = true;
	payment->price_per_unit = price->price_per_unit;
	payment->units = price->pixels_per_unit;
	payment->capability = price->capability;
	payment->constraint = price->constraint;
	lp_payment_sign(payment, key);
	lp_signer_state_write(&state, &c->plan.state);
	lp_signer_state_sign(&sig, lp_buf_span(&state), key);
	lp_buf_add_text(to, "{\"payment\":\"");
	lp_payment_write(to, payment);
	lp_buf_add_text(to, "\",\"segCreds\":\"");
	write_credentials(c, to);
	lp_buf_add_text(to, "\",\"state\":{");
	add_base64(to, "State", lp_buf_span(&state));
	lp_buf_add_char(to, ',');
	add_base64(to, "Sig", lp_span_of(sig.bytes, LP_SIG_LEN));
	lp_buf_add_text(to, "}}\n");
	lp_buf_clear(&state);
}

/* No ticket of an offer leaves before the offer is on disk: after a crash nothing more is signed for it. */
static void on_safe(void *self, enum lp_code code)
{
	struct call *c = self;

	if (code != LP_OK)
		fail(c, 500, "the store cannot keep the ticket parameters");
	else
		lp_reply(c->ex, 200, "application/json", lp_buf_span(&c->answer));
}

static void write_down(struct call *c)
{
	const struct lp_db_value values[] = {
		{ .kind = LP_DB_BLOB, .bytes = lp_span_of(c->plan.params.rand_hash.bytes, 32) },
		{ .kind = LP_DB_INT, .i = (int64_t)(c->plan.params.expiration_block & INT64_MAX) },
	};

	lp_db_write(c->scope, c->signer->node->db,
		    &(struct lp_db_write){ "INSERT OR IGNORE INTO pay_sent_offer VALUES (?, ?)", values, 2 }, on_safe, c);
}

static void enter(struct call *c)
{
	const struct lp_entry entry = { .kind = LP_ENTRY_PAID,
					.at = lp_wall(c->signer->node->loop) / LP_SEC,
					.peer = c->plan.params.recipient,
					.capability = c->body.info.price.capability,
					.model = c->body.info.price.constraint,
					.job = "",
					.amount = c->plan.value,
					.tickets = c->plan.tickets,
					.units = c->plan.billed };

	lp_books_enter(c->signer->node->money->books, &entry);
}

static void commit(struct call *c)
{
	struct lp_remote_signer *s = c->signer;
	int64_t now = lp_wall(s->node->loop) / LP_SEC;
	struct lp_payment payment;
	struct lp_signer_no no;

	if (c->plan.again.at) {
		lp_buf_add_span(&c->answer, c->plan.again);
		lp_signer_drop(s->desk, &c->plan);
		c->planned = false;
		write_down(c);
		return;
	}
	if (!lp_allowance_allows(&s->allowance, now, c->plan.value, s->deposit, s->multiplier)) {
		fail(c, 503, "what was signed lately is as much as the deposit allows");
		return;
	}
	c->planned = false;		/* it ends here, whatever comes */
	if (!lp_signer_commit(c->scope, s->desk, &c->plan, &payment, &no)) {
		refuse(c, &no);
		return;
	}
	if (c->plan.covered) {
		fail(c, LP_SIGNER_COVERED, "no tickets");
		return;
	}
	lp_allowance_add(&s->allowance, now, c->plan.value);
	enter(c);
	write_answer(c, &payment);
	lp_signer_answered(s->desk, &c->plan, lp_buf_span(&c->answer));
	write_down(c);
}

/* ---- may he? ---- */

/* Whom a session belongs to does not change. */
static bool take_auth_id(struct call *c, struct lp_span id)
{
	if (!id.len)
		id = lp_exchange_header(c->ex, "signer-auth-id");
	if (!id.len)
		return true;
	if (id.len > LP_SIGNER_TEXT_MAX || !lp_utf8_valid(id))
		return false;
	if (c->plan.state.auth_id.len)
		return lp_span_eq(id, c->plan.state.auth_id);
	c->plan.state.auth_id = id;
	return true;
}

static bool judge(struct call *c, struct lp_signer_no *no)
{
	struct lp_signer_verdict verdict;
	struct lp_span body;
	struct lp_err e;
	int status;

	*no = (struct lp_signer_no){ .status = 500 };
	if (lp_fetch_result(c->fetch, &status, &body, &e) != LP_OK) {
		lp_span_copy(no->words, sizeof(no->words), lp_span(lp_err_words(&e)));
		return false;
	}
	if (status != 200) {
		snprintf(no->words, sizeof(no->words), "the webhook answers %d", status);
		return false;
	}
	if (!lp_signer_verdict_read(c->scope, &verdict, body, no))
		return false;
	if (!lp_signer_max_check(&verdict.max, c->plan.state.type, no)) {
		char words[sizeof(no->words)];

		snprintf(words, sizeof(words), "%s", no->words);
		no->status = 502;
		snprintf(no->words, sizeof(no->words), "signer auth invalid maxPrice: %.150s", words);
		return false;
	}
	if (!c->plan.again.at && !lp_signer_ceiling(&c->plan, &verdict.max, "auth webhook maxPrice", no))
		return false;
	if (!take_auth_id(c, verdict.auth_id)) {
		*no = (struct lp_signer_no){ 500, "the auth id changed" };
		return false;
	}
	c->plan.state.auth_expiry = verdict.expiry;
	return true;
}

static void on_verdict(void *self)
{
	struct call *c = self;
	struct lp_signer_no no;

	if (judge(c, &no))
		commit(c);
	else
		refuse(c, &no);
}

static void authorise(struct call *c)
{
	struct lp_remote_signer *s = c->signer;
	struct lp_buf question = { 0 };

	if (!s->webhook.len || c->plan.state.auth_expiry > lp_wall(s->node->loop) / LP_SEC) {
		if (take_auth_id(c, (struct lp_span){ NULL, 0 }))
			commit(c);
		else
			fail(c, 500, "the auth id changed");
		return;
	}
	lp_signer_question(&question, c->ex, &c->plan.state);
	const struct lp_fetch_want want = {
		.method = "POST",
		.url = s->webhook,
		.headers = s->headers,
		.n_headers = s->n_headers,
		.body = lp_buf_span(&question),
		.limit = VERDICT_MAX,
		.total_time = ASKING,
	};

	c->fetch = lp_fetch_start(c->scope, s->fetcher, &want, on_verdict, c);
	lp_buf_clear(&question);
}

/* ---- the question ---- */

static const char *unable(const struct lp_remote_signer *s)
{
	if (s->node->draining)
		return "the signer is going down";
	if (!s->known || lp_mono(s->node->loop) - s->news_at > OLD)
		return "the chain says nothing of our deposit";
	return lp_books_broken(s->node->money->books) ? "the books are broken: nothing is signed until a restart" : NULL;
}

static void weigh(struct call *c)
{
	struct lp_remote_signer *s = c->signer;
	struct lp_signer_ask *ask = &c->body.ask;
	int64_t now = lp_wall(s->node->loop);
	const char *why = unable(s);
	struct lp_signer_no no = { .status = 400 };
	struct lp_err e;

	if (why) {
		fail(c, 503, why);
		return;
	}
	if (lp_signer_body_read(c->scope, &c->body, lp_buf_span(&c->text), now / LP_SEC, &e) != LP_OK) {
		fail(c, 400, lp_err_words(&e));
		return;
	}
	ask->now = now * 1000;
	ask->configured = lp_max_price_of(s->max, c->body.info.price.capability, c->body.info.price.constraint);
	lp_random(ask->id, sizeof(ask->id));
	lp_random(ask->manifest_id, sizeof(ask->manifest_id));
	if (!lp_signer_weigh(c->scope, s->desk, &c->plan, ask, &no)) {
		refuse(c, &no);
		return;
	}
	c->planned = true;
	authorise(c);
}

static void on_body(void *self)
{
	struct call *c = self;
	struct lp_span got;

	if (lp_exchange_gone(c->ex))
		return;
	while ((got = lp_exchange_read(c->ex)).len) {
		lp_buf_add_span(&c->text, got);
		lp_exchange_consume(c->ex, got.len);
	}
	if (lp_exchange_body(c->ex) == LP_BODY_MORE)
		return;
	lp_exchange_watch(c->ex, NULL, NULL);
	if (lp_exchange_body(c->ex) == LP_BODY_BROKEN)
		lp_reply_error(c->ex, lp_exchange_err(c->ex));
	else
		weigh(c);
}

void lp_signer_on_generate(void *self, struct lp_exchange *ex)
{
	struct lp_remote_signer *s = self;
	struct call *c = lp_new(lp_exchange_scope(ex), struct call);
	struct lp_err e;

	if (lp_node_admit(s->node, s->jobs, &e) != LP_OK) {
		lp_reply_error(ex, &e);
		return;
	}
	c->signer = s;
	c->ex = ex;
	c->scope = lp_exchange_scope(ex);
	s->jobs++;
	lp_defer(c->scope, call_close, c);
	lp_exchange_watch(ex, on_body, c);
}
