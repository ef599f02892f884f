/* role/money - see the header. */
#include <lpd/role/money.h>

#include <string.h>

#include <lpd/pay/ledger_local.h>
#include <lpd/role/node.h>

#include "store.h"

#define LOCAL_CLOCK LP_SEC		/* a file on this machine may be asked often */
#define LOCAL_PAYERS (2 * LP_SEC)

enum network { OFFCHAIN, LOCAL };

static enum lp_code network_of(const struct lp_options *options, enum network *out, struct lp_err *e)
{
	const char *name = lp_option_text(options, LP_OPT_NETWORK);

	*out = strcmp(name, "local") == 0 ? LOCAL : OFFCHAIN;
	if (*out == OFFCHAIN && strcmp(name, "offchain") != 0)
		return lp_fail(e, LP_CONFIG, "-network %s: this version of lpd speaks to no chain yet; offchain (free) "
			       "and local (a ledger in a file) are possible", name);
	if (*out == LOCAL && !*lp_option_text(options, LP_OPT_LEDGER))
		return lp_fail(e, LP_CONFIG, "-network local needs -ledger FILE, which this machine's nodes share");
	if (lp_option_duration(options, LP_OPT_LEDGER_BLOCK_TIME) % LP_SEC)
		return lp_fail(e, LP_CONFIG, "-ledgerBlockTime is whole seconds");
	return LP_OK;
}

static bool is_paid(const struct lp_node *node)
{
	return lp_options_roles(node->options) & LP_ROLE_ORCHESTRATOR;
}

static enum lp_code open_account(struct lp_node *node, struct lp_err *e)
{
	const struct lp_options *options = node->options;
	const struct lp_account_want want = {
		.loop = node->loop,
		.log = node->log,
		.address = lp_option_text(options, LP_OPT_ETH_ACCT_ADDR),
		.keystore = lp_option_text(options, LP_OPT_ETH_KEYSTORE_PATH),
		.password = lp_option_text(options, LP_OPT_ETH_PASSWORD),
		.data_dir = node->data_dir,
		.make = true,
	};

	return lp_account_open(node->scope, &node->money->account, &want, e);
}

/* The ledger lives in a scope of its own: questions to it may be out when the node ends. */
static enum lp_code open_ledger(struct lp_node *node, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "ledger");
	const struct lp_options *options = node->options;
	struct lp_ledger *ledger;
	struct lp_bank_want want = {
		.loop = node->loop,
		.log = node->log,
		.owner = scope,
		.clock_every = LOCAL_CLOCK,
		.payers_every = LOCAL_PAYERS,
	};
	enum lp_code code = lp_ledger_open(scope, &ledger, lp_option_text(options, LP_OPT_LEDGER), e);

	if (code == LP_OK && is_paid(node))
		code = lp_ledger_register(ledger, lp_account_address(node->money->account), e);
	if (code != LP_OK) {
		lp_scope_close(&scope);
		return code;
	}
	lp_ledger_pace(ledger, (unsigned)(lp_option_duration(options, LP_OPT_LEDGER_BLOCK_TIME) / LP_SEC));
	want.chain = lp_ledger_chain(ledger);
	return lp_bank_open(node->scope, &node->money->bank, &want, e);
}

enum lp_code lp_money_open(struct lp_node *node, struct lp_err *e)
{
	enum network network;
	char text[LP_ADDRESS_TEXT];

	if (network_of(node->options, &network, e) != LP_OK)
		return e->code;
	if (network == OFFCHAIN)
		return LP_OK;
	node->money = lp_new(node->scope, struct lp_money);
	if (lp_store_open(node, e) != LP_OK || open_account(node, e) != LP_OK || open_ledger(node, e) != LP_OK)
		return e->code;
	node->money->books = lp_books_open(node->scope, node->db, node->loop);
	lp_log_kv(node->log, LP_INFO, "payments are settled in a file", "ledger",
		  lp_option_text(node->options, LP_OPT_LEDGER), "account",
		  lp_address_write(text, lp_account_address(node->money->account)), NULL);
	return LP_OK;
}

enum lp_code lp_money_check(const struct lp_node *node, struct lp_buf *told, struct lp_err *e)
{
	enum network network;

	if (network_of(node->options, &network, e) != LP_OK)
		return e->code;
	if (network == LOCAL)
		lp_buf_fmt(told, "payments: settled in the file %s\n", lp_option_text(node->options, LP_OPT_LEDGER));
	return LP_OK;
}
