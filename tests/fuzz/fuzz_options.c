/* The first line of the input is a command line, cut at blanks; the rest an option file. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/options/options.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum lp_code read_all(struct lp_options *options, struct lp_scope *scope, struct lp_span text, struct lp_err *e)
{
	char *argv[40];
	int argc = 0;
	struct lp_span line = lp_span_cut(&text, '\n');

	argv[argc++] = lp_strdup(scope, LP_SPAN("lpd"));
	while (line.len > 0 && argc < 40) {
		struct lp_span word = lp_span_cut(&line, ' ');
		/* No input may name a file of this machine. */
		if (lp_span_find_icase(word, "config") < 0 && lp_span_find_icase(word, "secret") < 0)
			argv[argc++] = lp_strdup(scope, word);
	}
	enum lp_code code = lp_options_read(options, argc, argv, NULL, e);
	return code == LP_OK ? lp_options_read_text(options, text, "fuzz.conf", e) : code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_options *options = lp_options_open(scope);
	struct lp_buf page = { 0 };
	struct lp_err e = { 0 };

	if (read_all(options, scope, lp_span_of(data, size), &e) != LP_OK) {
		lp_assert(e.code == LP_CONFIG && e.words[0]);
	} else {
		lp_options_roles(options);
		lp_options_level(options);
		lp_options_http_addr(options, LP_ROLE_ORCHESTRATOR);
		lp_options_write(options, &page);
	}
	lp_buf_clear(&page);
	lp_scope_close(&scope);
	return 0;
}
