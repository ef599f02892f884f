/* cli/command - see the header. */
#include <lpd/cli/command.h>

#include <string.h>

static const struct lp_command commands[] = {
	{ "check", lp_command_check, "Say whether a node with these options would start, and start nothing." },
	{ "models", lp_command_models, "List or fetch the models of the built-in runner: lpd models list|fetch." },
	{ "ledger", lp_command_ledger, "What was paid and earned: lpd ledger -dataDir FOLDER [-by peer|...]." },
	{ "eth", lp_command_eth, "Keys: lpd eth account new|list|import." },
	{ "bank", lp_command_bank, "The ledger of -network local: lpd bank show|fund|... -ledger FILE." },
	{ 0 },
};

const struct lp_command *lp_commands(void)
{
	return commands;
}

const struct lp_command *lp_command_find(const char *name)
{
	for (const struct lp_command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}
