/* lpd - options, node, run, drain. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/cli/command.h>
#include <lpd/io/log_batch.h>
#include <lpd/role/node.h>

static void print(int fd, struct lp_buf *text)
{
	struct lp_span left = lp_buf_span(text);

	while (left.len) {
		ssize_t n = write(fd, left.at, left.len);

		if (n <= 0)
			break;
		left = lp_span_skip(left, (size_t)n);
	}
	lp_buf_clear(text);
}

static int show_version(void)
{
	printf("lpd %s\n", LPD_VERSION);
	return 0;
}

static int show_help(const struct lp_options *options)
{
	struct lp_buf text = { 0 };

	lp_options_help(&text, lp_options_roles(options));
	lp_buf_add_text(&text, "\nCommands:\n");
	for (const struct lp_command *c = lp_commands(); c->name; c++)
		lp_buf_fmt(&text, "  %-10s %s\n", c->name, c->help);
	print(STDOUT_FILENO, &text);
	return 0;
}

static int complain(const char *words)
{
	fprintf(stderr, "lpd: %s\n", words);
	return 1;
}

static void on_stop(void *self)
{
	lp_node_drain(self);
}

/* What SIGHUP needs: the node, and where its options came from. */
struct running {
	struct lp_scope *scope;
	struct lp_node *node;
	int argc;
	char **argv;
};

static bool says_the_same(const struct lp_options *options, const struct lp_options *before)
{
	for (int i = 0; i < LP_OPTIONS; i++)
		if (lp_option_differs(options, before, (enum lp_option)i))
			return false;
	return true;
}

/* The file that -config names may say something else by now.  What was read before stays in memory then: others hold
 * texts of it. */
static void on_reload(void *self)
{
	struct running *r = self;
	struct lp_scope *scope = lp_scope_open(r->scope, "options");
	struct lp_options *options = lp_options_open(scope);
	struct lp_err e;

	if (lp_options_read(options, r->argc, r->argv, environ, &e) != LP_OK) {
		lp_log_kv(r->node->log, LP_UNUSUAL, "options not read again, the old ones stay", "why", lp_err_words(&e),
			  NULL);
		lp_scope_close(&scope);
		lp_node_reload(r->node, NULL);
		return;
	}
	if (says_the_same(options, r->node->options)) {
		lp_scope_close(&scope);
		lp_node_reload(r->node, r->node->options);
		return;
	}
	lp_node_reload(r->node, options);
}

static int run(struct lp_scope *scope, const struct lp_options *options, int argc, char **argv)
{
	struct running *running = lp_new(scope, struct running);
	struct lp_loop *loop = lp_loop_open(scope);
	struct lp_log_sink *sink = lp_new(scope, struct lp_log_sink);	/* the log writes to it until the end */
	struct lp_node_want want = { .loop = loop, .options = options };
	struct lp_node *node;
	struct lp_err e;

	lp_log_to_fd(sink, STDERR_FILENO, lp_options_level(options));
	sink->json = strcmp(lp_option_text(options, LP_OPT_LOG_FORMAT), "json") == 0;
	lp_log_batch(scope, sink, loop);
	want.log = lp_log_open(scope, sink);
	want.sink = sink;
	if (lp_node_open(scope, &node, &want, &e) != LP_OK)
		return complain(lp_err_words(&e));
	lp_loop_on_signal(loop, LP_SIGNAL_STOP, on_stop, node);
	*running = (struct running){ scope, node, argc, argv };
	lp_loop_on_signal(loop, LP_SIGNAL_RELOAD, on_reload, running);
	lp_log(want.log, LP_INFO, "lpd runs", "version=%s pid=%d", LPD_VERSION, (int)getpid());
	lp_loop_run(loop);
	lp_log(want.log, LP_INFO, "lpd ends", "jobs=%d", node->jobs);
	return 0;
}

/* What the command line asks for, when it is not the node itself.  -1: the node. */
static int other_wish(const struct lp_options *options)
{
	size_t n;
	const char *const *words = lp_options_words(options, &n);
	char text[160];

	if (lp_option_bool(options, LP_OPT_HELP))
		return show_help(options);
	if (lp_option_bool(options, LP_OPT_VERSION))
		return show_version();
	if (!n)
		return -1;
	if (strcmp(words[0], "help") == 0)
		return show_help(options);
	bool is_role = strcmp(words[0], "gateway") == 0 || strcmp(words[0], "orchestrator") == 0;

	snprintf(text, sizeof(text), "there is no command '%s': lpd -help shows what there is%s", words[0],
		 is_role ? ", and -mode makes a node" : "");
	return complain(text);
}

int main(int argc, char **argv)
{
	const struct lp_command *command = argc > 1 ? lp_command_find(argv[1]) : NULL;
	struct lp_scope *scope;
	struct lp_options *options;
	struct lp_err e;
	int status;

	if (command)
		return command->run(argc - 1, argv + 1);
	lp_assert_catch_signals();
	scope = lp_scope_open(NULL, "lpd");
	options = lp_options_open(scope);
	if (lp_options_read(options, argc, argv, environ, &e) != LP_OK)
		status = complain(lp_err_words(&e));
	else
		status = other_wish(options);
	if (status < 0)
		status = run(scope, options, argc, argv);
	lp_scope_close(&scope);
	return status;
}
