/* cli/command - the subcommands of lpd: one row and one file each.
 *
 * A subcommand is the first word on the command line and reads the rest of it by itself. */
#ifndef LPD_CLI_COMMAND_H
#define LPD_CLI_COMMAND_H

struct lp_command {
	const char *name;
	int (*run)(int argc, char *const *argv);	/* argv[0] is the subcommand; returns the exit status */
	const char *help;
};

/* All rows, ended by one without a name. */
const struct lp_command *lp_commands(void);
const struct lp_command *lp_command_find(const char *name);	/* NULL: there is none */

int lp_command_check(int argc, char *const *argv);
int lp_command_models(int argc, char *const *argv);
int lp_command_bank(int argc, char *const *argv);
int lp_command_eth(int argc, char *const *argv);
int lp_command_ledger(int argc, char *const *argv);

#endif
