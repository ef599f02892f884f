/* run/prices - what an orchestrator asks for a unit of work: of each gateway, for each model.
 *
 * 0 is free; what no price is said for is not offered (payments 7.2). */
#ifndef LPD_RUN_PRICES_H
#define LPD_RUN_PRICES_H

#include <lpd/eth/address.h>
#include <lpd/pay/price.h>
#include <lpd/run/models.h>

struct lp_price_row {
	bool for_all;			/* gateways */
	struct lp_address gateway;
	uint32_t capability;		/* 0: every model that has no price of its own */
	struct lp_span model;
	struct lp_price price;
};

struct lp_prices {
	struct lp_price_row *rows;
	int n;
};

struct lp_prices_want {
	const struct lp_models *models;	/* aiModels.json; its texts outlive the prices */
	struct lp_span per_unit;	/* -pricePerUnit; "": not said */
	struct lp_span units;		/* -pixelsPerUnit */
	struct lp_span per_gateway;	/* -pricePerGateway: {"gateways": [{"ethaddress", "priceperunit",
					 * "pixelsperunit", "currency"}]}; "": none */
	struct lp_price usd;		/* dollars for one ETH; 0: not known */
};

/* LP_CONFIG names what is wrong. */
enum lp_code lp_prices_read(struct lp_scope *scope, struct lp_prices *out, const struct lp_prices_want *want,
			    struct lp_err *e) LP_MUST_USE;
/* The model's price for this gateway, else for all, else the gateway's for everything, else -pricePerUnit; NULL: it
 * is not offered. */
const struct lp_price *lp_prices_of(const struct lp_prices *prices, struct lp_address gateway, uint32_t capability,
				    struct lp_span model);

#endif
