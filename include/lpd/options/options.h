/* options/options - one table of every option (options.def); command line, environment, file, help and
 * documents come from it.
 *
 * Command line (-x v, -x=v, --x v; -flag and -flag=false for bools) beats environment (LP_HTTP_ADDR or
 * LP_HTTPADDR for -httpAddr) beats file (-config) beats default.  Each value remembers where it came from. */
#ifndef LPD_OPTIONS_OPTIONS_H
#define LPD_OPTIONS_OPTIONS_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>
#include <lpd/base/log.h>
#include <lpd/base/scope.h>

enum lp_option {
#define X(NAME, flag, type, value, roles, kind, arg, help) LP_OPT_##NAME,
#include <lpd/options/options.def>
#undef X
	LP_OPTIONS
};

/* A node may be several of these at once. */
enum lp_role_bit {
	LP_ROLE_GATEWAY = 1,
	LP_ROLE_ORCHESTRATOR = 2,
	LP_ROLE_WORKER = 4,
	LP_ROLE_SIGNER = 8,
	LP_ROLE_ALL = 15,
};

struct lp_options;

/* Every option at its default.  Lives as long as the scope, and so does every text it hands out. */
struct lp_options *lp_options_open(struct lp_scope *scope);

/* Read command line (argv[0] is skipped), environment ("NAME=value" ..., NULL; may be NULL) and the file
 * that they name.  LP_CONFIG with one sentence for the operator.  Asked for -help or -version it reads no
 * file, so that these always work. */
enum lp_code lp_options_read(struct lp_options *options, int argc, char *const *argv, char *const *env,
			     struct lp_err *e) LP_MUST_USE;
/* The lines of an option file; name is for messages and sources. */
enum lp_code lp_options_read_text(struct lp_options *options, struct lp_span text, const char *name,
				  struct lp_err *e) LP_MUST_USE;

/* Words on the command line that are no options and no values: a subcommand and its arguments. */
const char *const *lp_options_words(const struct lp_options *options, size_t *n);

/* Typed getters; asking for another type than the row has is a bug.  text also reads addresses, choices and
 * secrets (never print those), and is "" when nothing was given; dataDir's "~" is resolved. */
const char *lp_option_text(const struct lp_options *options, enum lp_option which);
int64_t lp_option_int(const struct lp_options *options, enum lp_option which);
bool lp_option_bool(const struct lp_options *options, enum lp_option which);
int64_t lp_option_duration(const struct lp_options *options, enum lp_option which);	/* microseconds */
int64_t lp_option_size(const struct lp_options *options, enum lp_option which);
size_t lp_option_list(const struct lp_options *options, enum lp_option which, const struct lp_span **items);

bool lp_option_given(const struct lp_options *options, enum lp_option which);	/* not the default */
bool lp_option_differs(const struct lp_options *a, const struct lp_options *b, enum lp_option which);
/* "command line", "LP_HTTP_ADDR", "gateway.conf:12" or "default". */
const char *lp_option_source(const struct lp_options *options, enum lp_option which);
const char *lp_option_flag(enum lp_option which);	/* "httpAddr" */

/* Options of the node that we replace which were given and mean nothing here (legacy.def): the operator is told. */
struct lp_option_note {
	const char *flag, *words;
};
const struct lp_option_note *lp_options_notes(const struct lp_options *options, int *n);

/* enum lp_role_bit together, from -mode or the incumbent's -gateway, -orchestrator, -aiWorker: the strongest
 * source that names any decides.  0: none was named. */
unsigned lp_options_roles(const struct lp_options *options);
/* From -logLevel and -v: the stronger source decides. */
enum lp_level lp_options_level(const struct lp_options *options);
/* What -httpAddr and -cliAddr mean for one of the roles, defaults filled in. */
const char *lp_options_http_addr(const struct lp_options *options, enum lp_role_bit role);
const char *lp_options_cli_addr(const struct lp_options *options);

/* The text of -help: of the options of these roles (enum lp_role_bit together; 0: all), with those of every mode. */
void lp_options_help(struct lp_buf *to, unsigned roles);
/* docs/generated/options.md. */
void lp_options_doc(struct lp_buf *to);
/* What differs from the defaults, one `name value  (source)` a line, secrets as ***. */
void lp_options_write(const struct lp_options *options, struct lp_buf *to);

#endif
