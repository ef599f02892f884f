/* market/segment - the credentials that travel with a job: SegData in Livepeer-Segment, the (still opaque)
 * Livepeer-Payment, and the orchestrator's auth token (network-protocol 4.4, 5.1 - 5.3).  Pure. */
#ifndef LPD_MARKET_SEGMENT_H
#define LPD_MARKET_SEGMENT_H

#include <lpd/eth/address.h>
#include <lpd/market/orch_info.h>

struct lp_segment {
	struct lp_span manifest_id;	/* "<capability>_<model>" */
	int64_t seq;			/* 0 of a batch job; read only, as the hash is */
	struct lp_span hash;		/* of the empty text */
	struct lp_span sig;
	int32_t duration;		/* ms: 0; refused below 0 and above 300,000 */
	bool has_capabilities;
	struct lp_capabilities capabilities;
	struct lp_auth_token auth_token;
};

/* The header's value, base64 as the network has it: hash of the empty string, profiles "invalid". */
void lp_segment_encode(struct lp_buf *to, const struct lp_segment *segment);
/* Refusals carry the network's texts in e->words: "ErrorSegEncoding", "invalid duration", ... all LP_FORBIDDEN. */
enum lp_code lp_segment_decode(struct lp_scope *scope, struct lp_segment *segment, struct lp_span header,
			       struct lp_err *e) LP_MUST_USE;
/* Livepeer-Payment: base64 and protobuf are checked; UNDERPAID (402) in the network's words. */
enum lp_code lp_payment_check(struct lp_scope *scope, struct lp_span header, struct lp_err *e) LP_MUST_USE;

/* Tokens: HMAC-SHA256(secret, session_id || minimal big-endian expiration). */
#define LP_TOKEN_LIFE 1800	/* seconds */
void lp_token_make(struct lp_scope *scope, struct lp_auth_token *token, const uint8_t secret[32], int64_t now_seconds);
void lp_token_mac(uint8_t mac[32], const uint8_t secret[32], struct lp_span session_id, int64_t expiration);
/* "missing auth token", "invalid auth token", "expired auth token": LP_FORBIDDEN.  Constant time. */
enum lp_code lp_token_check(const struct lp_auth_token *token, const uint8_t secret[32], int64_t now_seconds,
			    struct lp_err *e) LP_MUST_USE;

/* What a payer signs of a segment (5.2), to be hashed: 64 bytes behind the name.  It binds nothing but the name. */
void lp_segment_message(struct lp_buf *to, struct lp_span manifest_id);
/* Who did; false: nobody has. */
bool lp_segment_signer(struct lp_address *out, const struct lp_segment *segment);

/* Steps 3d to 3h of network-protocol 5.3 in their order.  With a signer the token is a quote (pay/quote), which is
 * left to the caller. */
struct lp_segment_judge {
	const uint8_t *secret;				/* 32 bytes */
	const struct lp_capabilities *own;
	int64_t now_seconds;
	const struct lp_address *sender;		/* of the payment; NULL: off-chain, nothing is signed */
	const struct lp_address *signer;		/* of the segment; NULL: nobody */
};
enum lp_code lp_segment_check(const struct lp_segment *segment, const struct lp_segment_judge *judge,
			      struct lp_err *e) LP_MUST_USE;

#endif
