/* market/ranking - see the header.  A treap: in order by (cost, id), and a heap by a hash of the id, which makes
 * it about as deep as a balanced tree whatever the order of coming and going. */
#include <lpd/market/ranking.h>

#include <math.h>
#include <stddef.h>

#include <lpd/base/assert.h>

/* ---- numbers with a wide exponent ---- */

#define FAR 1000	/* binary places beyond which the smaller one does not count */

static struct lp_scaled add(struct lp_scaled a, struct lp_scaled b)
{
	if (b.m == 0)
		return a;
	if (a.m == 0)
		return b;
	if (a.e < b.e) {
		struct lp_scaled t = a;

		a = b;
		b = t;
	}
	if (a.e != b.e && a.e - b.e < FAR)
		b.m = ldexp(b.m, (int)(b.e - a.e));
	else if (a.e != b.e)
		b.m = 0;
	a.m += b.m;
	return a;
}

/* In units of 2^e. */
static double in_units(struct lp_scaled a, int64_t e)
{
	if (a.m == 0 || e - a.e >= FAR)
		return 0;
	return a.e - e < FAR ? ldexp(a.m, (int)(a.e - e)) : HUGE_VAL;
}

struct lp_scaled lp_scaled_exp2(double x)
{
	const double most = 4e18;	/* an int64, and the difference of two */
	double whole;

	if (!(x > -most / 2))
		return (struct lp_scaled){ 0 };
	whole = floor(x < most / 2 ? x : most / 2);
	return (struct lp_scaled){ .m = exp2(x < most / 2 ? x - whole : 0), .e = (int64_t)whole };
}

struct lp_scaled lp_scaled_price(double price, double factor)
{
	if (!isfinite(price) || !(factor > 0))
		return (struct lp_scaled){ 0 };
	return lp_scaled_exp2(-price / factor * 1.4426950408889634);
}

/* ---- the tree ---- */

/* A well mixed number of the id (the finisher of splitmix64). */
static uint64_t priority(const struct lp_rank *node)
{
	uint64_t x = node->id + 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static bool before(const struct lp_rank *a, const struct lp_rank *b)
{
	return a->cost < b->cost || (a->cost == b->cost && a->id < b->id);
}

static struct lp_rank_sum own(const struct lp_rank *node)
{
	return (struct lp_rank_sum){ .n = 1, .stake = node->stake, .price = node->price };
}

static void add_sum(struct lp_rank_sum *to, const struct lp_rank_sum *more)
{
	to->n += more->n;
	to->stake += more->stake;
	to->price = add(to->price, more->price);
}

static void sum(struct lp_rank *node)
{
	node->all = own(node);
	if (node->left)
		add_sum(&node->all, &node->left->all);
	if (node->right)
		add_sum(&node->all, &node->right->all);
}

static struct lp_rank *lift_left(struct lp_rank *node)
{
	struct lp_rank *up = node->left;

	node->left = up->right;
	up->right = node;
	sum(node);
	return up;
}

static struct lp_rank *lift_right(struct lp_rank *node)
{
	struct lp_rank *up = node->right;

	node->right = up->left;
	up->left = node;
	sum(node);
	return up;
}

static struct lp_rank *put(struct lp_rank *at, struct lp_rank *node)
{
	if (!at) {
		node->left = node->right = NULL;
		at = node;
	} else if (before(node, at)) {
		at->left = put(at->left, node);
		if (priority(at->left) > priority(at))
			at = lift_left(at);
	} else {
		at->right = put(at->right, node);
		if (priority(at->right) > priority(at))
			at = lift_right(at);
	}
	sum(at);
	return at;
}

void lp_rank_put(struct lp_rank **root, struct lp_rank *node)
{
	lp_assert(node->cost == node->cost);
	*root = put(*root, node);
}

/* Everything in a stands before everything in b. */
static struct lp_rank *join(struct lp_rank *a, struct lp_rank *b)
{
	struct lp_rank *up = a ? a : b;

	if (!a || !b)
		return up;
	if (priority(a) > priority(b)) {
		a->right = join(a->right, b);
	} else {
		b->left = join(a, b->left);
		up = b;
	}
	sum(up);
	return up;
}

static struct lp_rank *take(struct lp_rank *at, struct lp_rank *node)
{
	lp_assert(at);
	if (at == node)
		return join(node->left, node->right);
	if (before(node, at))
		at->left = take(at->left, node);
	else
		at->right = take(at->right, node);
	sum(at);
	return at;
}

void lp_rank_take(struct lp_rank **root, struct lp_rank *node)
{
	*root = take(*root, node);
	node->left = node->right = NULL;
}

struct lp_rank *lp_rank_first(const struct lp_rank *root)
{
	struct lp_rank *at = (struct lp_rank *)(uintptr_t)root;

	while (at && at->left)
		at = at->left;
	return at;
}

struct lp_rank_sum lp_rank_upto(const struct lp_rank *root, double cost)
{
	struct lp_rank_sum all = { 0 };

	while (root) {
		struct lp_rank_sum here = own(root);

		if (root->cost > cost) {
			root = root->left;
			continue;
		}
		if (root->left)
			add_sum(&all, &root->left->all);
		add_sum(&all, &here);
		root = root->right;
	}
	return all;
}

/* The weight of one, or of all under one, in units in which the whole is a plain double. */
static double weigh(const struct lp_rank_sum *s, enum lp_rank_by by, int64_t e)
{
	switch (by) {
	case LP_RANK_CHANCE:
		return s->n;
	case LP_RANK_STAKE:
		return s->stake;
	case LP_RANK_PRICE:
		break;
	}
	return in_units(s->price, e);
}

struct lp_rank *lp_rank_draw(const struct lp_rank *root, double cost, enum lp_rank_by by, double unit)
{
	const struct lp_rank_sum of = lp_rank_upto(root, cost);
	const struct lp_rank *last = NULL;
	int64_t e = of.price.e;
	double left = unit * weigh(&of, by, e);

	if (!(weigh(&of, by, e) > 0))
		return NULL;
	while (root) {
		struct lp_rank_sum here = own(root);
		double under = root->left ? weigh(&root->left->all, by, e) : 0;
		double mine = weigh(&here, by, e);

		/* What stands behind the bound is not in the sums that `left` is part of. */
		if (root->cost > cost || left < under) {
			root = root->left;
			continue;
		}
		left -= under;
		if (mine > 0)
			last = root;	/* rounding may lead past the end; then the last one that counts */
		if (left < mine)
			break;
		left -= mine;
		root = root->right;
	}
	return (struct lp_rank *)(uintptr_t)last;
}
