/* The credentials of a job.  A gateway sends the same segment with each job for as long as its token lives, and
 * reading one (protobuf, HMAC) costs as much as a quarter of all the rest: those that were good are remembered,
 * byte for byte, until they expire or what they were checked against changes. */
#include "orchestrator_priv.h"

#define KEPT 256
#define KEPT_SIZE 4096		/* of one header */

struct good {
	int64_t expiration;	/* seconds since 1970 */
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

static enum lp_code check_segment(struct lp_orchestrator *o, struct lp_scope *scope, struct lp_span header, struct lp_err *e)
{
	struct lp_segment_judge judge = { o->secret, lp_orchestrator_own(o), lp_wall(o->node->loop) / LP_SEC };
	struct lp_map *map = checked(o);
	struct good *good = lp_map_find(map, header);
	struct lp_segment segment;

	if (good && judge.now_seconds <= good->expiration)
		return LP_OK;
	if (lp_segment_decode(scope, &segment, header, e) != LP_OK || lp_segment_check(&segment, &judge, e) != LP_OK)
		return e->code;
	if (!good && header.len <= KEPT_SIZE) {
		good = lp_new(o->checked_scope, struct good);
		good->expiration = segment.auth_token.expiration;
		lp_map_put(map, header, good);
	}
	return LP_OK;
}

enum lp_code lp_orchestrator_check(struct lp_orchestrator *o, const struct lp_exchange *ex, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "credentials");
	enum lp_code code = lp_payment_check(scope, lp_exchange_header(ex, "livepeer-payment"), e);

	if (code == LP_OK)
		code = check_segment(o, scope, lp_exchange_header(ex, "livepeer-segment"), e);
	lp_scope_close(&scope);
	e->code = code;
	return code;
}
