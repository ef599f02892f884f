#include <lpd/pay/balance.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>

struct row {
	struct lp_amount all;
	struct lp_amount held;	/* never below zero */
	int64_t touched;
};

struct lp_balances {
	struct lp_map *rows;	/* by sender and session, one after the other: the first has its fixed length */
	size_t max;
};

#define KEY_MAX (LP_ADDRESS_LEN + LP_SESSION_MAX)

struct lp_balances *lp_balances_new(size_t max_rows)
{
	struct lp_balances *balances = lp_mem_zeroed(1, sizeof *balances);

	balances->rows = lp_map_new();
	balances->max = max_rows;
	return balances;
}

void lp_balances_free(struct lp_balances **balances)
{
	if (!*balances)
		return;
	lp_map_free_all(&(*balances)->rows, lp_mem_free);
	lp_mem_free(*balances);
	*balances = NULL;
}

size_t lp_balances_count(const struct lp_balances *balances)
{
	return lp_map_count(balances->rows);
}

static struct lp_span key_of(char to[KEY_MAX], const struct lp_payer *who)
{
	size_t len = who->session.len < LP_SESSION_MAX ? who->session.len : LP_SESSION_MAX;

	memcpy(to, who->sender.bytes, LP_ADDRESS_LEN);
	if (len)
		memcpy(to + LP_ADDRESS_LEN, who->session.at, len);
	return lp_span_of(to, LP_ADDRESS_LEN + len);
}

static struct row *find(const struct lp_balances *balances, const struct lp_payer *who)
{
	char key[KEY_MAX];

	if (who->session.len > LP_SESSION_MAX)
		return NULL;
	return lp_map_find(balances->rows, key_of(key, who));
}

static struct lp_amount free_of(const struct row *row)
{
	struct lp_amount out;
	bool fits = lp_amount_sub(&out, row->all, row->held);

	/* Held amounts were free when they were held, and debts are bounded by what was held and cost. */
	lp_assert(fits);
	return out;
}

struct lp_amount lp_balance_free(const struct lp_balances *balances, const struct lp_payer *who)
{
	const struct row *row = find(balances, who);

	return row ? free_of(row) : LP_AMOUNT_ZERO;
}

struct lp_amount lp_balance_all(const struct lp_balances *balances, const struct lp_payer *who)
{
	const struct row *row = find(balances, who);

	return row ? row->all : LP_AMOUNT_ZERO;
}

enum lp_code lp_balance_credit(struct lp_balances *balances, const struct lp_payer *who, struct lp_amount amount,
			       int64_t now, struct lp_err *e)
{
	struct row *row = find(balances, who);
	char key[KEY_MAX];

	if (who->session.len > LP_SESSION_MAX)
		return lp_fail(e, LP_BAD_REQUEST, "the session's name is too long");
	if (amount.below)
		return lp_fail(e, LP_PRICE, "a credit below zero");
	if (!row) {
		if (lp_map_count(balances->rows) >= balances->max)
			return lp_fail(e, LP_TOO_MANY, "too many payers have credit here");
		row = lp_mem_zeroed(1, sizeof *row);
		lp_map_put(balances->rows, key_of(key, who), row);
	}
	if (!lp_amount_add(&row->all, row->all, amount))
		return lp_fail(e, LP_PRICE, "the credit is too large to be counted");
	row->touched = now;
	return LP_OK;
}

enum lp_code lp_balance_hold(struct lp_balances *balances, const struct lp_payer *who, struct lp_amount amount,
			     int64_t now, struct lp_err *e)
{
	struct row *row = find(balances, who);

	if (amount.below)
		return lp_fail(e, LP_PRICE, "a hold below zero");
	if (!row && lp_amount_is_zero(amount))
		return LP_OK;
	if (!row || lp_amount_cmp(free_of(row), amount) < 0)
		return lp_fail(e, LP_UNDERPAID, "Insufficient balance");
	bool fits = lp_amount_add(&row->held, row->held, amount);

	lp_assert(fits);	/* it is not above what is there */
	row->touched = now;
	return LP_OK;
}

void lp_balance_settle(struct lp_balances *balances, const struct lp_payer *who, struct lp_settle what, int64_t now)
{
	struct row *row = find(balances, who);

	lp_assert(!what.held.below && !what.cost.below);
	if (!row) {
		/* Free work of one who never paid. */
		lp_assert(lp_amount_is_zero(what.held) && lp_amount_is_zero(what.cost));
		return;
	}
	bool released = lp_amount_sub(&row->held, row->held, what.held);
	bool debited = lp_amount_sub(&row->all, row->all, what.cost);

	/* Nobody gives back more than he held. */
	lp_assert(released && !row->held.below && debited);
	row->touched = now;
}

/* The row's key, taken apart again. */
static struct lp_payer payer_of(struct lp_span key)
{
	struct lp_payer who;

	memcpy(who.sender.bytes, key.at, LP_ADDRESS_LEN);
	who.session = lp_span_skip(key, LP_ADDRESS_LEN);
	return who;
}

size_t lp_balances_expire(struct lp_balances *balances, int64_t before,
			  void (*told)(void *self, const struct lp_payer *who, struct lp_amount credit), void *self)
{
	struct lp_span key;
	size_t at = 0, gone = 0;
	void *found;

	while (lp_map_next(balances->rows, &at, &key, &found)) {
		struct row *row = found;
		struct lp_payer who = payer_of(key);

		if (row->touched >= before || row->all.below || !lp_amount_is_zero(row->held))
			continue;
		if (told)
			told(self, &who, row->all);
		lp_map_take(balances->rows, key);
		lp_mem_free(row);
		gone++;
	}
	return gone;
}
