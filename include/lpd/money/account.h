/* money/account - who this node is on the network: an address, and the key in a keystore file that signs for it.
 * A gateway whose key lies with a remote signer has none of this. */
#ifndef LPD_MONEY_ACCOUNT_H
#define LPD_MONEY_ACCOUNT_H

#include <lpd/base/log.h>
#include <lpd/eth/key.h>
#include <lpd/io/loop.h>

struct lp_account;

struct lp_account_want {
	struct lp_loop *loop;
	struct lp_log *log;
	const char *address;	/* -ethAcctAddr; "": the only one in the keystore */
	const char *keystore;	/* -ethKeystorePath: a folder or a file; "": keystore/ in the data directory */
	const char *password;	/* -ethPassword, read from its file already */
	const char *data_dir;
	bool make;		/* where there is no key yet, make one (a private network) */
};
/* Blocks for as long as the file's key derivation takes.  LP_CONFIG in words that say what to do. */
enum lp_code lp_account_open(struct lp_scope *scope, struct lp_account **out, const struct lp_account_want *want,
			     struct lp_err *e) LP_MUST_USE;

/* Makes the key's file, under the name that the network's programs give it (payments 4.7). */
struct lp_account_file {
	const char *folder;
	struct lp_span password;
	int64_t wall;		/* microseconds since 1970, for the name */
	const char *path;	/* filled in; in the scope */
};
enum lp_code lp_account_store(struct lp_scope *scope, struct lp_account_file *file, const struct lp_key *key,
			      struct lp_err *e) LP_MUST_USE;

struct lp_address lp_account_address(const struct lp_account *account);

/* For lp_payment_sign(). */
const struct lp_key *lp_account_key(const struct lp_account *account);

/* What proves to an orchestrator who asks: a signature over the address, as text (network-protocol 4.2).  Made once. */
const struct lp_sig *lp_account_proof(const struct lp_account *account);
/* Only what this node itself made up may be signed (payments R-8). */
void lp_account_sign_message(struct lp_account *account, struct lp_sig *out, struct lp_span message);

#endif
