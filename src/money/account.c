/* money/account - see the header. */
#include <lpd/money/account.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <lpd/base/hex.h>
#include <lpd/eth/keccak.h>
#include <lpd/io/file.h>

#define FILES 1000	/* of a keystore folder that are looked at */
/* Of the key derivation of files that we make: a second and 256 MiB for whoever guesses passwords, and for us at
 * each start.  Without a password there is nothing to guess. */
#define LOG_N 18
#define LOG_N_OPEN 4

struct lp_account {
	struct lp_key *key;
	struct lp_sig proof;
};

/* ---- the file ---- */

struct found {
	const char *path;
	struct lp_keystore store;
};

static enum lp_code read_file(struct lp_scope *scope, struct found *out, const char *path, struct lp_err *e)
{
	struct lp_span text;

	out->path = path;
	if (lp_file_read(scope, &text, path, LP_KEYSTORE_MAX, e) != LP_OK)
		return lp_fail(e, LP_CONFIG, "the key file %s: %s", path, lp_err_words(e));
	if (lp_keystore_read(&out->store, text, e) != LP_OK)
		return lp_fail(e, LP_CONFIG, "%s is no key file: %s", path, lp_err_words(e));
	return LP_OK;
}

/* Of this address; where none is asked for, the only one. */
static bool is_wanted(const struct lp_keystore *store, const struct lp_address *wanted)
{
	return !wanted || (store->has_address && lp_address_eq(store->address, *wanted));
}

static enum lp_code look_through(struct lp_scope *scope, struct found *out, const char *folder,
				 const struct lp_address *wanted, struct lp_err *e)
{
	struct lp_folder_look look = { .prefix = "UTC--", .most = FILES };
	struct lp_err skipped;
	int fitting = 0;

	if (lp_folder_list(scope, &look, folder, e) != LP_OK)
		return e->code;
	for (int i = 0; i < look.n; i++) {
		struct found one;

		if (read_file(scope, &one, lp_fmt(scope, "%s/%s", folder, look.names[i].at), &skipped) != LP_OK ||
		    !is_wanted(&one.store, wanted))
			continue;
		*out = one;
		fitting++;
	}
	if (fitting > 1 && !wanted)
		return lp_fail(e, LP_CONFIG, "%s holds %d keys: say which with -ethAcctAddr", folder, fitting);
	return fitting ? LP_OK : lp_fail(e, LP_NOT_FOUND, "%s holds no such key", folder);
}

/* -ethKeystorePath is a folder, or the file itself, as the incumbent has it. */
static enum lp_code find(struct lp_scope *scope, struct found *out, const struct lp_account_want *want,
			 const struct lp_address *wanted, struct lp_err *e)
{
	const char *place = *want->keystore ? want->keystore : lp_fmt(scope, "%s/keystore", want->data_dir);
	struct lp_err not_a_folder;
	enum lp_code code = look_through(scope, out, place, wanted, e);

	if (code == LP_CONFIG && read_file(scope, out, place, &not_a_folder) == LP_OK) {
		if (is_wanted(&out->store, wanted))
			return LP_OK;
		return lp_fail(e, LP_CONFIG, "%s is not the key of -ethAcctAddr", place);
	}
	return code;
}

/* ---- making one ---- */

enum lp_code lp_account_store(struct lp_scope *scope, struct lp_account_file *file, const struct lp_key *key,
			      struct lp_err *e)
{
	struct lp_address address = lp_key_address(key);
	time_t seconds = (time_t)(file->wall / LP_SEC);
	struct lp_keystore store;
	struct lp_buf text = { 0 };
	char hex[2 * LP_ADDRESS_LEN + 1], when[32];
	struct tm utc;
	enum lp_code code;

	if (lp_folder_make(file->folder, e) != LP_OK)
		return e->code;
	gmtime_r(&seconds, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H-%M-%S", &utc);
	lp_hex_write(hex, address.bytes, sizeof(address.bytes));
	file->path = lp_fmt(scope, "%s/UTC--%s.%06lld000Z--%s", file->folder, when,
			    (long long)(file->wall % LP_SEC), hex);
	lp_key_seal(&store, key, file->password, file->password.len ? LOG_N : LOG_N_OPEN);
	lp_keystore_write(&text, &store);
	code = lp_file_write(file->path, lp_buf_span(&text), 0600, e);
	lp_buf_clear(&text);
	return code;
}

static enum lp_code make(struct lp_scope *scope, struct lp_account *account, const struct lp_account_want *want,
			 struct lp_err *e)
{
	struct lp_account_file file = {
		.folder = *want->keystore ? want->keystore : lp_fmt(scope, "%s/keystore", want->data_dir),
		.password = lp_span(want->password),
		.wall = lp_wall(want->loop),
	};
	char text[LP_ADDRESS_TEXT];

	account->key = lp_key_create(scope);
	if (lp_account_store(scope, &file, account->key, e) != LP_OK)
		return e->code;
	lp_log_kv(want->log, LP_INFO, "made an account", "address",
		  lp_address_write(text, lp_key_address(account->key)), "file", file.path, NULL);
	return LP_OK;
}

/* ---- the account ---- */

static enum lp_code unlock(struct lp_scope *scope, struct lp_account *account, const struct lp_account_want *want,
			   struct lp_err *e)
{
	struct lp_address wanted;
	struct found found;
	enum lp_code code;

	if (*want->address && !lp_address_read(&wanted, lp_span(want->address)))
		return lp_fail(e, LP_CONFIG, "-ethAcctAddr %s is no address", want->address);
	code = find(scope, &found, want, *want->address ? &wanted : NULL, e);
	if (code == LP_NOT_FOUND && want->make && !*want->address)
		return make(scope, account, want, e);
	if (code == LP_NOT_FOUND)
		return lp_fail(e, LP_CONFIG, "no key is there: %s.  Make one with `lpd eth account new`, or say where "
			       "it is with -ethKeystorePath", lp_err_words(e));
	if (code != LP_OK)
		return code;
	code = lp_key_unlock(scope, &account->key, &found.store, lp_span(want->password), e);
	if (code == LP_UNAUTHORIZED)
		return lp_fail(e, LP_CONFIG, "-ethPassword does not open %s", found.path);
	if (code != LP_OK)
		return code;
	if (*want->address && !lp_address_eq(lp_key_address(account->key), wanted))
		return lp_fail(e, LP_CONFIG, "%s holds another key than it says", found.path);
	return LP_OK;
}

void lp_account_sign_message(struct lp_account *account, struct lp_sig *out, struct lp_span message)
{
	struct lp_hash hash;

	lp_keccak256(hash.bytes, message.at, message.len);
	lp_key_sign(out, account->key, &hash);
}

enum lp_code lp_account_open(struct lp_scope *scope, struct lp_account **out, const struct lp_account_want *want,
			     struct lp_err *e)
{
	struct lp_account *account = lp_new(scope, struct lp_account);
	char text[LP_ADDRESS_TEXT];

	if (unlock(scope, account, want, e) != LP_OK)
		return e->code;
	if (!lp_key_locked(account->key))
		lp_log_kv(want->log, LP_UNUSUAL, "the system does not let the key be kept out of swap", NULL);
	lp_address_write(text, lp_key_address(account->key));
	lp_account_sign_message(account, &account->proof, lp_span(text));
	*out = account;
	return LP_OK;
}

struct lp_address lp_account_address(const struct lp_account *account)
{
	return lp_key_address(account->key);
}

const struct lp_key *lp_account_key(const struct lp_account *account)
{
	return account->key;
}

const struct lp_sig *lp_account_proof(const struct lp_account *account)
{
	return &account->proof;
}
