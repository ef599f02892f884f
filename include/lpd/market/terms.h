/* market/terms - what the operator of a gateway accepts: the highest prices, and the scores that orchestrators
 * have on a board of somebody who measures them.  Pure.
 *
 * -maxPricePerCapability is {"capabilities_prices": [{"pipeline", "model_id", "price_per_unit",
 * "pixels_per_unit", "currency"}]} (network-protocol 7.6); -orchPerfStatsUrl answers
 * {address: {REGION: {"score": number}}}. */
#ifndef LPD_MARKET_TERMS_H
#define LPD_MARKET_TERMS_H

#include <lpd/base/scope.h>
#include <lpd/pay/price.h>

struct lp_max_price {
	uint32_t capability;
	struct lp_span model;		/* "default": every model of the capability that has no row */
	struct lp_price price;
};

struct lp_max_prices {
	struct lp_price usd;		/* dollars for one ETH, known before prices are read; 0: not known */
	bool has_any;			/* of -maxPricePerUnit */
	struct lp_price any;
	const struct lp_max_price *rows;
	int n_rows;
};

/* -ethUsdPrice: a decimal above 0; empty: not known. */
enum lp_code lp_usd_read(struct lp_price *out, struct lp_span text, struct lp_err *e) LP_MUST_USE;
/* -maxPricePerUnit and -pixelsPerUnit.  0 or empty: no limit.  Dollars need the rate, other currencies have none:
 * LP_CONFIG says so. */
enum lp_code lp_max_price_read(struct lp_max_prices *out, struct lp_span price, struct lp_span units,
			       struct lp_err *e) LP_MUST_USE;
/* -maxPricePerCapability, the JSON itself.  LP_CONFIG names the entry. */
enum lp_code lp_max_prices_read(struct lp_scope *scope, struct lp_max_prices *out, struct lp_span json,
				struct lp_err *e) LP_MUST_USE;
/* The highest price for it; NULL: any. */
const struct lp_price *lp_max_price_of(const struct lp_max_prices *max, uint32_t capability, struct lp_span model);

/* Scores by address (20 bytes).  At most 100,000 rows are read. */
struct lp_map;
struct lp_perf {
	struct lp_map *scores;		/* address -> one of values */
	double *values;
	int n;
};
enum lp_code lp_perf_read(struct lp_perf *out, struct lp_span json, struct lp_span region, struct lp_err *e) LP_MUST_USE;
void lp_perf_clear(struct lp_perf *perf);
double lp_perf_of(const struct lp_perf *perf, struct lp_span address);	/* 0: it has none */

#endif
