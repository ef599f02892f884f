/* market/ranking - who costs how much, in order, so that one of thousands is found in a few steps: the least,
 * all up to a bound, and of these one by stake, by price or by chance.  Pure.
 *
 * A tree of nodes that lie inside their owners' structs; nothing is allocated.  Every node knows the sums of
 * what is under it, added up anew on each change, so rounding errors do not grow. */
#ifndef LPD_MARKET_RANKING_H
#define LPD_MARKET_RANKING_H

#include <stdbool.h>
#include <stdint.h>

/* m * 2^e: weights like exp(-price / factor), which are far below what a double holds. */
struct lp_scaled {
	double m;
	int64_t e;
};

struct lp_rank_sum {
	int n;
	double stake;
	struct lp_scaled price;
};

struct lp_rank {
	double cost;			/* the order; set these four before lp_rank_put */
	uint64_t id;			/* decides between equal costs, and shapes the tree; no two are the same */
	double stake;
	struct lp_scaled price;
	struct lp_rank *left, *right;
	struct lp_rank_sum all;		/* with those under it */
};

enum lp_rank_by { LP_RANK_CHANCE, LP_RANK_STAKE, LP_RANK_PRICE };

/* 2^x, and e^(-price / factor); 0 for a price that is not finite. */
struct lp_scaled lp_scaled_exp2(double x);
struct lp_scaled lp_scaled_price(double price, double factor);

void lp_rank_put(struct lp_rank **root, struct lp_rank *node);
/* With the cost and id that it was put in with. */
void lp_rank_take(struct lp_rank **root, struct lp_rank *node);
struct lp_rank *lp_rank_first(const struct lp_rank *root);		/* NULL: empty */
/* The sums of all that cost at most this. */
struct lp_rank_sum lp_rank_upto(const struct lp_rank *root, double cost);
/* One of these, each as likely as its weight says; unit: 0 <= x < 1.  NULL: they weigh nothing. */
struct lp_rank *lp_rank_draw(const struct lp_rank *root, double cost, enum lp_rank_by by, double unit);

#endif
