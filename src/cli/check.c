/* cli/check - `lpd check OPTIONS`: would a node with these options start?  Nothing is started. */
#include <lpd/cli/command.h>

#include <stdio.h>
#include <unistd.h>

#include <lpd/role/node.h>

static int say(struct lp_buf *text)
{
	fputs(lp_buf_text(text), stdout);
	lp_buf_clear(text);
	return 0;
}

int lp_command_check(int argc, char *const *argv)
{
	struct lp_scope *scope = lp_scope_open(NULL, "check");
	struct lp_options *options = lp_options_open(scope);
	struct lp_log_sink *sink = lp_new(scope, struct lp_log_sink);
	struct lp_buf values = { 0 }, told = { 0 };
	struct lp_err e = { 0 };
	int status = 1;

	lp_log_to_fd(sink, STDERR_FILENO, LP_UNUSUAL);
	sink->wall = NULL;
	if (lp_options_read(options, argc, argv, environ, &e) == LP_OK &&
	    lp_node_check(scope, options, lp_log_open(scope, sink), &told, &e) == LP_OK) {
		lp_options_write(options, &values);
		say(&values);
		status = say(&told);
		puts("it would start");
	} else {
		fprintf(stderr, "lpd: %s\n", lp_err_words(&e));
	}
	lp_buf_clear(&values);
	lp_buf_clear(&told);
	lp_scope_close(&scope);
	return status;
}
