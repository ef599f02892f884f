/* The credentials of a job.  A gateway sends the same segment with each job for as long as its token lives, and
 * reading one (protobuf, HMAC) costs as much as a quarter of all the rest: those that were good are remembered,
 * byte for byte, until they expire or what they were checked against changes. */
#include "orchestrator_pay.h"

#define KEPT 256
#define KEPT_SIZE 4096		/* of one header */

struct good {
	int64_t expiration;	/* seconds since 1970 */
	struct lp_quoted quoted;	/* where work is paid */
};

static void free_checked(void *arg)
{
	struct lp_orchestrator *o = arg;

	lp_map_free(&o->checked);
}

/* Empty when it is new, full, or about capabilities that we had. */
static struct lp_map *checked(struct lp_orchestrator *o)
{
	bool fits = o->checked_scope && o->checked_generation == o->own_generation;

	if (fits && lp_map_count(o->checked) < KEPT)
		return o->checked;
	lp_scope_close(&o->checked_scope);
	o->checked_scope = lp_scope_open(o->node->scope, "good segments");
	o->checked = lp_map_new();
	o->checked_generation = o->own_generation;
	lp_defer(o->checked_scope, free_checked, o);
	return o->checked;
}

/* ---- the quote ---- */

/* "<capability>_<model>", where the segment names no capabilities. */
static void work_of_name(struct lp_scope *scope, struct lp_kinds *out, struct lp_span name)
{
	ptrdiff_t mark = lp_span_find(name, LP_SPAN("_"));
	uint64_t capability;

	*out = (struct lp_kinds){ .pairs = lp_new(scope, struct lp_kind) };
	if (mark < 0 || !lp_span_u64(lp_span_of(name.at, (size_t)mark), &capability) || capability > UINT32_MAX)
		return;
	out->pairs[out->n++] = (struct lp_kind){ (uint32_t)capability, lp_span_skip(name, (size_t)mark + 1) };
}

/* What the payer asked for, as it says itself: the token is good for nothing else. */
static enum lp_code read_quote(struct lp_orchestrator *o, struct lp_scope *scope, const struct lp_segment *segment,
			       struct lp_quoted *out, struct lp_err *e)
{
	const struct lp_auth_token *token = &segment->auth_token;

	if (segment->has_capabilities)
		lp_kinds_of(scope, &out->work, &segment->capabilities);
	if (!out->work.n)
		work_of_name(scope, &out->work, segment->manifest_id);
	out->quote = (struct lp_quote){ .sender = out->signer, .session_id = token->session_id,
					.expiration = token->expiration };
	lp_kinds_name(scope, &out->work, &out->quote);
	return lp_quote_check(&out->quote, o->secret, token->present ? token->token : LP_SPAN(""),
			      lp_payee_now(o->payee), e);
}

static void keep(struct lp_scope *scope, struct good *good, const struct lp_quoted *quoted)
{
	good->quoted = *quoted;
	good->quoted.quote.model = lp_span_dup(scope, quoted->quote.model);
	good->quoted.quote.session_id = lp_span_dup(scope, quoted->quote.session_id);
	good->quoted.work.pairs = lp_new_array(scope, struct lp_kind, (size_t)quoted->work.n + 1);
	for (int i = 0; i < quoted->work.n; i++)
		good->quoted.work.pairs[i] = (struct lp_kind){ quoted->work.pairs[i].capability,
								    lp_span_dup(scope, quoted->work.pairs[i].model) };
}

/* ---- the segment ---- */

/* Of one who is known: only that it is he who pays. */
static enum lp_code take_good(const struct good *good, struct lp_charge *charge, struct lp_err *e)
{
	if (!charge)
		return LP_OK;
	if (!lp_address_eq(good->quoted.signer, *lp_charge_sender(charge)))
		return lp_fail(e, LP_FORBIDDEN, "ErrSegSig");
	return lp_charge_quoted(charge, &good->quoted, e);
}

static enum lp_code judge(struct lp_orchestrator *o, const struct lp_segment *segment, struct lp_charge *charge,
			  struct lp_quoted *quoted, struct lp_err *e)
{
	struct lp_segment_judge by = { .secret = o->secret, .own = lp_orchestrator_own(o),
				       .now_seconds = lp_wall(o->node->loop) / LP_SEC };

	if (charge) {
		by.sender = lp_charge_sender(charge);
		by.signer = lp_segment_signer(&quoted->signer, segment) ? &quoted->signer : NULL;
	}
	if (lp_segment_check(segment, &by, e) != LP_OK || !charge)
		return e->code;
	if (read_quote(o, lp_charge_scope(charge), segment, quoted, e) != LP_OK)
		return e->code;
	return lp_charge_quoted(charge, quoted, e);
}

static enum lp_code check_segment(struct lp_orchestrator *o, struct lp_scope *scope, struct lp_span header,
				  struct lp_charge *charge, struct lp_err *e)
{
	struct lp_map *map = checked(o);
	struct good *good = lp_map_find(map, header);
	struct lp_quoted quoted = { 0 };
	struct lp_segment segment;

	if (good && lp_wall(o->node->loop) / LP_SEC <= good->expiration)
		return take_good(good, charge, e);
	e->code = LP_OK;
	if (lp_segment_decode(scope, &segment, header, e) != LP_OK ||
	    judge(o, &segment, charge, &quoted, e) != LP_OK)
		return e->code;
	if (!good && header.len <= KEPT_SIZE) {
		good = lp_new(o->checked_scope, struct good);
		good->expiration = segment.auth_token.expiration;
		if (charge)
			keep(o->checked_scope, good, &quoted);
		lp_map_put(map, header, good);
	}
	return LP_OK;
}

enum lp_code lp_orchestrator_check(struct lp_orchestrator *o, const struct lp_exchange *ex, struct lp_charge *charge,
				   struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "credentials");
	struct lp_span payment = lp_exchange_header(ex, "livepeer-payment");
	enum lp_code code = charge ? lp_charge_read(charge, payment, e) : lp_payment_check(scope, payment, e);

	if (code == LP_OK)
		code = check_segment(o, scope, lp_exchange_header(ex, "livepeer-segment"), charge, e);
	lp_scope_close(&scope);
	e->code = code;
	return code;
}
