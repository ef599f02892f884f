/* market/pin - which orchestrators a client wants, or does not want: `Lp-Orchestrator: a, b` or `!a, !b`.
 *
 * A word names by address ("https://host:8935", "host:8935"), by host, or by Ethereum address ("0x..." of 40
 * digits).  With words that want, only these may work; a word with "!" shuts out.  Pure. */
#ifndef LPD_MARKET_PIN_H
#define LPD_MARKET_PIN_H

#include <lpd/base/err.h>
#include <lpd/eth/address.h>

#define LP_PIN_WORDS 16

struct lp_pin {
	struct lp_pin_word {
		struct lp_span place;		/* without scheme and slashes; borrowed */
		struct lp_address address;	/* when it is one */
		bool is_address, shuts_out;
	} words[LP_PIN_WORDS];
	int n, n_wanted;
};

enum lp_code lp_pin_parse(struct lp_pin *pin, struct lp_span text, struct lp_err *e) LP_MUST_USE;
/* uri: of the orchestrator; address: its 20 bytes, or empty when it is not known or the zero address. */
bool lp_pin_allows(const struct lp_pin *pin, struct lp_span uri, struct lp_span address);

#endif
