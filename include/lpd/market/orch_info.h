/* market/orch_info - what an orchestrator says of itself, and how it is asked, as protobuf (network-protocol
 * 1.3, 3, 4).  Encoding and decoding only; spans of a decoded message live in the scope.  Pure. */
#ifndef LPD_MARKET_ORCH_INFO_H
#define LPD_MARKET_ORCH_INFO_H

#include <lpd/base/buf.h>
#include <lpd/market/capability.h>

struct lp_auth_token {
	bool present;
	struct lp_span token;		/* 32 bytes of HMAC */
	struct lp_span session_id;	/* 8 hex digits */
	int64_t expiration;		/* unix seconds; as the peer says, so any number at all */
};
/* Seconds for which it is good; negative: it is over.  What is centuries away is cut, so that times can be made of
 * it without care. */
int64_t lp_auth_token_left(const struct lp_auth_token *token, int64_t now_seconds);

struct lp_price_info {
	bool present;
	int64_t price_per_unit, pixels_per_unit;
	uint32_t capability;
	struct lp_span constraint;	/* model id */
};

struct lp_hardware {
	struct lp_span pipeline, model;
	struct lp_gpu_info {
		struct lp_span key, id, name;
		uint32_t major, minor;
		int64_t memory_free, memory_total;
	} *gpus;
	int n_gpus;
};

struct lp_orch_info {
	struct lp_span transcoder;	/* service URI without trailing slash */
	struct lp_span address;		/* 20 bytes; never empty, zero off-chain (BUG-55) */
	bool has_ticket_params;		/* kept raw for the money issue */
	struct lp_span ticket_params;	/* serialised TicketParams */
	struct lp_price_info price;
	bool has_capabilities;
	struct lp_capabilities capabilities;
	struct lp_auth_token auth_token;
	struct lp_hardware *hardware;
	int n_hardware;
	struct lp_price_info *prices;	/* capabilities_prices */
	int n_prices;
	struct lp_span *nodes;
	int n_nodes;
};

struct lp_orch_request {
	struct lp_span address;		/* 20 bytes */
	struct lp_span sig;		/* 65 bytes, empty off-chain */
	bool has_capabilities;
	struct lp_capabilities capabilities;
	bool ignore_capacity_check;
};

void lp_orch_info_encode(struct lp_buf *to, const struct lp_orch_info *info);
enum lp_code lp_orch_info_decode(struct lp_scope *scope, struct lp_orch_info *info, struct lp_span bytes,
				 struct lp_err *e) LP_MUST_USE;
/* Capabilities alone, as a remote signer is sent them. */
enum lp_code lp_capabilities_decode(struct lp_scope *scope, struct lp_capabilities *caps, struct lp_span bytes,
				    struct lp_err *e) LP_MUST_USE;

void lp_orch_request_encode(struct lp_buf *to, const struct lp_orch_request *request);
enum lp_code lp_orch_request_decode(struct lp_scope *scope, struct lp_orch_request *request, struct lp_span bytes,
				    struct lp_err *e) LP_MUST_USE;

#endif
