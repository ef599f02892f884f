/* cli/eth - `lpd eth account ...`: key files of the keystore, as every program of the network writes and reads them.
 *
 * A password comes from -ethPassword (itself or a file), LP_ETH_PASSWORD, or the terminal, where it is not shown. */
#include <lpd/cli/command.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <lpd/base/hex.h>
#include <lpd/base/json.h>
#include <lpd/io/file.h>
#include <lpd/money/account.h>

#include "flags.h"

#define SECRET_MAX 4096
#define FILES 1000

static const char usage[] =
	"lpd eth account new                make a key and its file\n"
	"lpd eth account list               the keys that are there\n"
	"lpd eth account import FILE        a private key in a file, 64 hexadecimal digits; or a key file\n"
	"flags: -dataDir FOLDER, -ethKeystorePath FOLDER, -ethPassword PASSWORD|FILE, -json\n";

struct eth {
	struct lp_scope *scope;
	const char *data_dir, *folder, *password_flag;
	bool json;
	struct lp_words words;
	struct lp_err e;
};

/* ---- the password ---- */

/* A line from the terminal, not shown; false: there is none to ask at. */
static bool ask_line(const char *what, char *to, size_t cap)
{
	struct termios before, quiet;
	bool read_it;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
		return false;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fputs(what, stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	read_it = fgets(to, (int)cap, stdin) != NULL;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	to[strcspn(to, "\r\n")] = 0;
	return read_it;
}

static struct lp_span without_line_end(struct lp_span text)
{
	while (text.len && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r'))
		text.len--;
	return text;
}

static void from_flag(struct eth *eth, struct lp_span *out)
{
	struct lp_err none;

	if (lp_file_read(eth->scope, out, eth->password_flag, SECRET_MAX, &none) == LP_OK)
		*out = without_line_end(*out);
	else
		*out = lp_span(eth->password_flag);
}

static enum lp_code get_password(struct eth *eth, struct lp_span *out, bool twice)
{
	char *first = lp_alloc(eth->scope, SECRET_MAX), *second = lp_alloc(eth->scope, SECRET_MAX);

	if (eth->password_flag) {
		from_flag(eth, out);
		return LP_OK;
	}
	if (!ask_line("Password: ", first, SECRET_MAX))
		return lp_fail(&eth->e, LP_CONFIG, "give the password with -ethPassword FILE, or at a terminal");
	if (twice && (!ask_line("Once more: ", second, SECRET_MAX) || strcmp(first, second) != 0))
		return lp_fail(&eth->e, LP_CONFIG, "these are two different passwords");
	*out = lp_span(first);
	return LP_OK;
}

/* ---- deeds ---- */

static void print(const struct eth *eth, struct lp_address address, const char *path, bool *first)
{
	struct lp_buf line = { 0 };
	char text[LP_ADDRESS_TEXT];

	if (eth->json) {
		lp_buf_fmt(&line, "%s{\"address\":\"%s\",\"file\":", *first ? "" : ",\n",
			   lp_address_write(text, address));
		lp_json_write_str(&line, lp_span(path));
		lp_buf_add_char(&line, '}');
	} else {
		lp_buf_fmt(&line, "%s  %s\n", lp_address_write(text, address), path);
	}
	fputs(lp_buf_text(&line), stdout);
	lp_buf_clear(&line);
	*first = false;
}

static enum lp_code store(struct eth *eth, const struct lp_key *key)
{
	struct lp_scope *scope = lp_scope_open(eth->scope, "clock");
	struct lp_account_file file = { .folder = eth->folder, .wall = lp_wall(lp_loop_open(scope)) };
	bool first = true;

	if (get_password(eth, &file.password, true) != LP_OK ||
	    lp_account_store(eth->scope, &file, key, &eth->e) != LP_OK)
		return eth->e.code;
	print(eth, lp_key_address(key), file.path, &first);
	if (eth->json)
		fputc('\n', stdout);
	return LP_OK;
}

static enum lp_code new_account(struct eth *eth)
{
	return store(eth, lp_key_create(eth->scope));
}

static enum lp_code import(struct eth *eth)
{
	struct lp_span text;
	struct lp_keystore have;
	struct lp_key *key;
	uint8_t secret[32];
	enum lp_code code;

	if (eth->words.n < 3)
		return lp_fail(&eth->e, LP_CONFIG, "which file holds the key?");
	if (lp_file_read(eth->scope, &text, eth->words.at[2], LP_KEYSTORE_MAX, &eth->e) != LP_OK)
		return eth->e.code;
	text = without_line_end(text);
	if (lp_hex_read(secret, sizeof(secret), text)) {
		code = lp_key_open(eth->scope, &key, secret, &eth->e);
	} else if (lp_keystore_read(&have, text, &eth->e) == LP_OK) {
		struct lp_span password;

		code = get_password(eth, &password, false);
		if (code == LP_OK)
			code = lp_key_unlock(eth->scope, &key, &have, password, &eth->e);
	} else {
		code = lp_fail(&eth->e, LP_CONFIG, "%s holds neither 64 hexadecimal digits nor a key file",
			       eth->words.at[2]);
	}
	explicit_bzero(secret, sizeof(secret));
	return code == LP_OK ? store(eth, key) : code;
}

static enum lp_code list(struct eth *eth)
{
	struct lp_folder_look look = { .prefix = "UTC--", .most = FILES };
	enum lp_code code = lp_folder_list(eth->scope, &look, eth->folder, &eth->e);
	bool first = true;

	if (code != LP_OK && code != LP_NOT_FOUND)
		return code;
	fputs(eth->json ? "[" : "", stdout);
	for (int i = 0; i < look.n; i++) {
		const char *path = lp_fmt(eth->scope, "%s/%s", eth->folder, look.names[i].at);
		struct lp_keystore have;
		struct lp_span text;

		if (lp_file_read(eth->scope, &text, path, LP_KEYSTORE_MAX, &eth->e) == LP_OK &&
		    lp_keystore_read(&have, text, &eth->e) == LP_OK && have.has_address)
			print(eth, have.address, path, &first);
		else
			fprintf(stderr, "%s is no key file\n", path);
	}
	fputs(eth->json ? "]\n" : "", stdout);
	return LP_OK;
}

static enum lp_code do_it(struct eth *eth)
{
	static const struct {
		const char *name;
		enum lp_code (*run)(struct eth *eth);
	} deeds[] = { { "new", new_account }, { "list", list }, { "import", import } };

	if (eth->words.n < 2 || strcmp(eth->words.at[0], "account") != 0)
		return lp_fail(&eth->e, LP_CONFIG, "account new, list or import?");
	if (!eth->folder)
		eth->folder = lp_fmt(eth->scope, "%s/keystore", eth->data_dir);
	for (size_t i = 0; i < sizeof(deeds) / sizeof(*deeds); i++)
		if (strcmp(deeds[i].name, eth->words.at[1]) == 0)
			return deeds[i].run(eth);
	return lp_fail(&eth->e, LP_CONFIG, "account %s: new, list or import?", eth->words.at[1]);
}

int lp_command_eth(int argc, char *const *argv)
{
	const char *home = getenv("HOME");
	struct eth eth = { .scope = lp_scope_open(NULL, "eth"), .password_flag = getenv("LP_ETH_PASSWORD") };
	const struct lp_flag flags[] = {
		{ "dataDir", &eth.data_dir, NULL },
		{ "ethKeystorePath", &eth.folder, NULL },
		{ "ethPassword", &eth.password_flag, NULL },
		{ "json", NULL, &eth.json },
		{ 0 },
	};
	enum lp_code code;

	if (eth.password_flag && !*eth.password_flag)
		eth.password_flag = NULL;	/* as everywhere: empty is not given */
	eth.data_dir = lp_fmt(eth.scope, "%s/.lpd", home ? home : ".");
	code = lp_flags_read(&eth.words, flags, argc - 1, argv + 1, &eth.e);
	if (code == LP_OK)
		code = do_it(&eth);
	if (code != LP_OK)
		fprintf(stderr, "lpd eth: %s\n%s", lp_err_words(&eth.e), code == LP_CONFIG ? usage : "");
	lp_scope_close(&eth.scope);
	return code == LP_OK ? 0 : 1;
}
