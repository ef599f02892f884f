/* cli/bank - `lpd bank ...`: deposits and time of a ledger in a file (-network local).  Whoever can write the file
 * is the bank, so nothing is signed. */
#include <lpd/cli/command.h>

#include <stdio.h>
#include <string.h>

#include <lpd/pay/ledger_local.h>

#include "flags.h"

static const char usage[] =
	"lpd bank show [ADDRESS] -ledger FILE                   the block; deposit, reserve, what was earned\n"
	"lpd bank fund ADDRESS DEPOSIT [RESERVE] -ledger FILE   add to them: 1eth, 200gwei, or a number of wei\n"
	"lpd bank unlock|withdraw ADDRESS -ledger FILE          take them out again, after two rounds\n"
	"lpd bank mine BLOCKS -ledger FILE                      let blocks pass\n";

struct bank {
	struct lp_scope *scope;
	struct lp_ledger *ledger;
	struct lp_words words;
	struct lp_address who;
	struct lp_err e;
};

static bool ends(struct lp_span text, const char *with)
{
	size_t n = strlen(with);

	return text.len > n && memcmp(text.at + text.len - n, with, n) == 0;
}

static enum lp_code read_amount(struct lp_wei *out, const char *text, struct lp_err *e)
{
	struct lp_span digits = lp_span(text);
	enum lp_unit unit = LP_IN_WEI;

	if (ends(digits, "gwei"))
		unit = LP_IN_GWEI, digits.len -= 4;
	else if (ends(digits, "wei"))
		digits.len -= 3;
	else if (ends(digits, "eth"))
		unit = LP_IN_ETH, digits.len -= 3;
	if (!lp_wei_read(out, digits, unit))
		return lp_fail(e, LP_CONFIG, "%s is no amount: write 1eth, 200gwei, or a number of wei", text);
	return LP_OK;
}

static void print_wei(const char *what, struct lp_wei wei)
{
	char text[LP_WEI_TEXT];

	printf("%-12s %s eth\n", what, lp_wei_write(text, wei, LP_IN_ETH));
}

static enum lp_code show(struct bank *b)
{
	struct lp_chain chain = lp_ledger_chain(b->ledger);
	struct lp_address nobody = { { 0 } };
	struct lp_chain_clock clock;
	struct lp_chain_sender sender;
	struct lp_wei fees;

	if (chain.ops->clock(chain.self, &clock, &b->e) != LP_OK)
		return b->e.code;
	printf("%-12s %llu, round %llu\n", "block", (unsigned long long)clock.block,
	       (unsigned long long)clock.rounds.last);
	if (b->words.n < 2)
		return LP_OK;
	if (chain.ops->sender(chain.self, &sender, b->who, nobody, &b->e) != LP_OK ||
	    lp_ledger_fees(b->ledger, &fees, b->who, &b->e) != LP_OK)
		return b->e.code;
	print_wei("deposit", sender.funds.deposit);
	print_wei("reserve", sender.funds.reserve);
	print_wei("earned", fees);
	if (sender.withdraw_round)
		printf("%-12s from round %llu\n", "unlocks", (unsigned long long)sender.withdraw_round);
	return LP_OK;
}

static enum lp_code fund(struct bank *b)
{
	struct lp_wei deposit, reserve = LP_WEI_ZERO;

	if (b->words.n < 3)
		return lp_fail(&b->e, LP_CONFIG, "how much is to be the deposit?");
	if (read_amount(&deposit, b->words.at[2], &b->e) != LP_OK ||
	    (b->words.n > 3 && read_amount(&reserve, b->words.at[3], &b->e) != LP_OK))
		return b->e.code;
	if (lp_ledger_fund(b->ledger, b->who, deposit, reserve, &b->e) != LP_OK)
		return b->e.code;
	return show(b);
}

static enum lp_code unlock(struct bank *b)
{
	return lp_ledger_unlock(b->ledger, b->who, &b->e) == LP_OK ? show(b) : b->e.code;
}

static enum lp_code withdraw(struct bank *b)
{
	struct lp_wei got;

	if (lp_ledger_withdraw(b->ledger, &got, b->who, &b->e) != LP_OK)
		return b->e.code;
	print_wei("withdrawn", got);
	return LP_OK;
}

static enum lp_code mine(struct bank *b)
{
	struct lp_chain chain = lp_ledger_chain(b->ledger);
	struct lp_chain_clock clock;
	struct lp_u256 n;
	uint64_t blocks;

	if (b->words.n < 2 || !lp_u256_read(&n, lp_span(b->words.at[1])) || !lp_u256_to_u64(&blocks, n) ||
	    blocks > 10000000)
		return lp_fail(&b->e, LP_CONFIG, "how many blocks, up to ten million?");
	if (chain.ops->clock(chain.self, &clock, &b->e) != LP_OK ||
	    lp_ledger_advance(b->ledger, clock.block + blocks, &b->e) != LP_OK)
		return b->e.code;
	b->words.n = 1;
	return show(b);
}

static const struct deed {
	const char *name;
	enum lp_code (*run)(struct bank *b);
	bool of_somebody;	/* the next word is an address */
	bool may_be_alone;	/* but need not be there */
} deeds[] = {
	{ "show", show, true, true },
	{ "fund", fund, true, false },
	{ "unlock", unlock, true, false },
	{ "withdraw", withdraw, true, false },
	{ "mine", mine, false, false },
};

static enum lp_code do_it(struct bank *b, const char *path)
{
	const struct deed *deed = NULL;

	for (size_t i = 0; b->words.n && i < sizeof(deeds) / sizeof(*deeds); i++)
		if (strcmp(deeds[i].name, b->words.at[0]) == 0)
			deed = &deeds[i];
	if (!deed)
		return lp_fail(&b->e, LP_CONFIG, "show, fund, unlock, withdraw or mine?");
	if (!*path)
		return lp_fail(&b->e, LP_CONFIG, "say which ledger with -ledger FILE");
	if (deed->of_somebody && b->words.n < 2 && !deed->may_be_alone)
		return lp_fail(&b->e, LP_CONFIG, "whose?  Give an address");
	if (deed->of_somebody && b->words.n > 1 && !lp_address_read(&b->who, lp_span(b->words.at[1])))
		return lp_fail(&b->e, LP_CONFIG, "%s is no address", b->words.at[1]);
	if (lp_ledger_open(b->scope, &b->ledger, path, &b->e) != LP_OK)
		return b->e.code;
	return deed->run(b);
}

int lp_command_bank(int argc, char *const *argv)
{
	const char *path = "";
	const struct lp_flag flags[] = { { "ledger", &path, NULL }, { 0 } };
	struct bank b = { .scope = lp_scope_open(NULL, "bank") };
	enum lp_code code = lp_flags_read(&b.words, flags, argc - 1, argv + 1, &b.e);

	if (code == LP_OK)
		code = do_it(&b, path);
	if (code != LP_OK)
		fprintf(stderr, "lpd bank: %s\n%s", lp_err_words(&b.e), code == LP_CONFIG ? usage : "");
	lp_scope_close(&b.scope);
	return code == LP_OK ? 0 : 1;
}
