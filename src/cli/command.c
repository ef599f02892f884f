/* cli/command - see the header. */
#include <lpd/cli/command.h>

#include <string.h>

static const struct lp_command commands[] = {
	{ "check", lp_command_check, "Say whether a node with these options would start, and start nothing." },
	{ "models", lp_command_models, "List or fetch the models of the built-in runner: lpd models list|fetch." },
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
