/* money/signer_state - what a remote signer hands to a gateway and gets back with the next call: where a session
 * stands, as JSON under a signature (payments 8.2).  Pure.
 *
 * Names and forms are the network's, since webhooks read it too: "PMSessionID" is 0x and the hash of the offer's
 * rand, "Balance" a fraction, "LastUpdate" RFC 3339 with up to nine places. */
#ifndef LPD_MONEY_SIGNER_STATE_H
#define LPD_MONEY_SIGNER_STATE_H

#include <lpd/base/scope.h>
#include <lpd/eth/key.h>
#include <lpd/pay/amount.h>

#define LP_SIGNER_STATE_MAX 4096	/* bytes of JSON */
#define LP_SIGNER_TEXT_MAX 256		/* of an app's name, and of an auth id */

/* What a session is billed by. */
enum lp_signer_type {
	LP_SIGNER_UNITS,	/* "": the caller counts (inPixels) */
	LP_SIGNER_LV2V,		/* pixels of 720p video, by the time since the last call */
	LP_SIGNER_LIVE,		/* seconds since the last call, rounded up */
	LP_SIGNER_FIXED,	/* 1 a call */
	LP_SIGNER_TYPES
};
const char *lp_signer_type_name(enum lp_signer_type type);
bool lp_signer_type_find(struct lp_span name, enum lp_signer_type *out);

struct lp_signer_state {
	struct lp_span id;
	struct lp_hash rand_hash;	/* of the offer that was used last */
	int64_t last_update;		/* nanoseconds since 1970; 0: none yet */
	struct lp_address orchestrator;
	struct lp_span app;
	int64_t auth_expiry;		/* unix seconds: until then nobody is asked whether he may */
	uint32_t nonce;			/* the last one used */
	struct lp_amount balance;
	int64_t price_per_unit, units;	/* the price that the session began with */
	enum lp_signer_type type;
	uint64_t sequence;
	struct lp_span auth_id;
};

void lp_signer_state_write(struct lp_buf *to, const struct lp_signer_state *state);
/* BAD_REQUEST: no such state.  Members that are absent are zero, as for Go. */
enum lp_code lp_signer_state_read(struct lp_scope *scope, struct lp_signer_state *out, struct lp_span json,
				  struct lp_err *e) LP_MUST_USE;

/* Over the raw bytes.  Nothing is secret in a signature: checking finds the signer and compares addresses. */
void lp_signer_state_sign(struct lp_sig *out, struct lp_span json, const struct lp_key *key);
bool lp_signer_state_check(struct lp_span json, struct lp_span sig, struct lp_address signer);

/* The forms alone, for tests.  A fraction too long for us loses last places of both numbers, which is less than
 * 2^-64 wei; false: no fraction, or no room. */
void lp_signer_fraction_write(struct lp_buf *to, struct lp_amount amount);
bool lp_signer_fraction_read(struct lp_amount *out, struct lp_span text);
void lp_signer_time_write(struct lp_buf *to, int64_t ns);
bool lp_signer_time_read(int64_t *ns, struct lp_span text);

#endif
